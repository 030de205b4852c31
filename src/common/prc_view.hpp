#pragma once

#include <cstdint>

namespace sojourn {

/// A linear form b + sum c_k phi_k with some negative coefficient. Its value is computed once per lane and then serves
/// as a rate of its own, so that every other coefficient of the program is positive and sums never cancel.
struct PrcForm {
  std::int64_t term_begin, term_end;
};
struct PrcFormTerm {
  std::int32_t rate;  ///< extended rate index: 0 is the constant 1, 1 + k is phi_k
  double coefficient;
};

/// The edges of one row that share a rate: together they contribute rate * (sum coefficient * x[column]).
struct PrcGroup {
  std::int32_t rate;      ///< extended rate index: 0 the constant, 1 + k phi_k, 1 + num_rates + f form f
  std::int32_t internal;  ///< 1 where the targets lie in the row's own component
  std::int64_t term_begin, term_end;
  double absorbing;  ///< sum of the coefficients into absorbing states (external groups only)
  double total;      ///< sum of all coefficients, absorbing included
  double inverse_total;
};
struct PrcTerm {
  double coefficient;
  std::int32_t column;  ///< row index of the target state; of the source state in an arrival group
  std::int32_t slot;    ///< that row's `value_slot`
};

/// A row: one transient state in elimination order.
struct PrcRow {
  std::int64_t group_begin, group_middle, group_end;  ///< external groups, then internal ones
  std::int64_t entry_begin, entry_middle, entry_end;  ///< lower entries (columns eliminated before), then upper ones
  std::int64_t arrival_begin, arrival_end;            ///< arrival groups: external edges into the row, by rate
  std::int64_t sum_end;                               ///< of its sums, which follow those of the row before
};

/// Rows of one strongly connected component, contiguous. Entries are numbered along the rows, so the factor slots of a
/// component are `entry - entry_begin`.
struct PrcComponent {
  std::int32_t row_begin, row_end;
  std::int64_t entry_begin, entry_end;
  std::int32_t reference = -1;  ///< a row outside that the component leads to, for differences; -1 where there is none
  /// Direct weights first: those that begin an entry, those added to it. Then the sums of the rows' entries with pairs.
  std::int64_t direct_begin = 0, more_begin = 0, sum_begin = 0;
  std::int64_t pair_begin = 0;                  ///< shared with equal components
  std::int64_t front_begin = 0, front_end = 0;  ///< where it is factored by fronts; shared with equal components
};

/// How a factor entry comes about: coefficient * rate, and then `num_pairs` multiply-adds. What has no pairs is done
/// for the whole component at once, so that no loop's length is guessed wrongly by the processor.
struct PrcSum {
  double coefficient;  ///< 0 where no edge leads there
  std::int32_t rate;   ///< extended rate index, or its complement ~rate where the slot's number counts as well
  std::uint32_t slot;  ///< inside the component
  std::uint32_t num_pairs;
};

/// One multiply-add of the factor program; both are slots inside the component. One load of a device thread.
struct alignas(8) PrcPair {
  std::uint32_t a, b;
};

/// Most rows of a front. Wider fronts update their targets less often and spend more on themselves.
inline constexpr int kMostFrontRows = 32;
/// In the place of a target that does not exist: a row's return to itself.
inline constexpr std::uint32_t kNoSlot = 0xffffffff;

/// A front: adjacent rows of a component that keep the same columns after themselves and are wanted by the same rows
/// below (a supernode). Rows count from the component's first and slots from its first entry, so that components of
/// one pattern share their fronts.
struct PrcFront {
  std::int32_t row_begin, row_end;
  std::int32_t num_lower, num_upper;  ///< rows below with entries in these columns; columns after them
  std::int64_t lower_begin;           ///< slots of each lower row's first entry in these columns; the others follow it
  std::int64_t target_begin;          ///< [num_lower, num_upper] slots of what the front adds to, by rows
};

/// What scratch for one component at a time has to hold.
struct PrcComponentBounds {
  std::int64_t most_entries = 0;
  std::int32_t most_rows = 0;
  bool has_fronts = false;  ///< some component is factored by fronts
};

/// The flat, theta-independent elimination program, as plain pointers for host and device.
///
/// Rows are sorted so that a component's successors come before it. For a component with rows v in elimination order
/// the factors are A = (D - L)(I - P) with every number non-negative (GTH: D_v is the sum of the weights that remain):
///   lower entry  w_vk = weight + sum_{k' < k} w_vk' p_k'k          (unscaled)
///   upper entry  p_vj = (weight + sum_{k < v} w_vk p_kj) / D_v
///   exit         e_v  = (external weights + kill + sum_{k < v} w_vk e_k) / D_v
///   D_v          = exit_v + sum_j upper_vj before scaling
struct PrcView {
  std::int32_t num_rates, num_forms, num_components, num_rows;
  const PrcForm* forms;
  const PrcFormTerm* form_terms;
  const PrcComponent* components;
  const PrcRow* rows;
  const PrcGroup* groups;
  const PrcTerm* terms;
  const PrcGroup* arrivals;  ///< the external groups again, by target
  const PrcTerm* arrival_terms;
  const std::int32_t* entry_column;  ///< [entries] row index
  const std::int32_t* entry_slot;    ///< [entries] that row's `value_slot`
  const PrcSum* sums;
  const PrcPair* pairs;  ///< none where the component has fronts
  const PrcFront* fronts;
  const std::uint32_t* front_slots;
  const std::int32_t* value_slot;  ///< [rows] slot of a row's solution where only the start's value is wanted
  const double* alpha;             ///< [rows]
};

}  // namespace sojourn
