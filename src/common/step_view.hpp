#pragma once

#include <cstdint>

#include "common/likelihood_lanes.hpp"

/// What lanes of uniformization are given; `StepTables` makes it, `step_lanes.hpp` computes with it.
namespace sojourn {

/// An edge into a row: the row it comes from, and its coefficient over that row's reward.
struct StepTerm {
  double coefficient;
  std::int32_t row;
};
/// The edges into one row that share a rate.
struct StepGroup {
  std::int32_t rate;  ///< extended rate index, as in `PrcGroup`
  std::int64_t term_begin, term_end;
};
struct StepRow {
  std::int64_t group_begin, group_end;
};
/// What a row's edges take of 1 in discrete time: extended rates times coefficients.
struct StepExit {
  std::int64_t term_begin, term_end;
  std::int32_t num_edges;
};

/// The Poisson weights of one time: of `count` steps from `first` on. What is left out before has less than
/// `kLeastStepWeight` a step, what is left out after them sums to at most `tail`.
struct StepWindow {
  std::int64_t first, count, weight_begin;
  std::int64_t least_first;  ///< of this window and of those of all later times
  double tail;
};
/// One uniformization rate, shared by all particles whose largest exit rate lies just below it.
struct StepRung {
  double rate;
  std::int64_t num_steps;     ///< the last step that any time's window holds
  std::int64_t window_begin;  ///< windows of the times by size
};
inline constexpr double kLeastStepWeight = 1e-299;
/// Products of numbers between 0 and 1 are right to rounding above this; what sums below it lose is less.
inline constexpr double kLeastStepValue = 1e-290;

/// What all particles share, as plain pointers.
struct StepView {
  std::int32_t num_times;
  /// Discrete time: P is the chain's own, weights are ones, a window holds the counts whose mass is asked for (the last
  /// one is where survival and cdf are), and windows may lie in each other.
  bool counts;
  double atom;                   ///< P(Y = 0)
  double roundings_per_step;     ///< bound of the relative error a step leaves, in units of 2^-53
  double roundings;              ///< the same of what is done once
  const double* inverse_reward;  ///< [rows]
  const StepRow* rows;           ///< [rows]
  const StepGroup* groups;
  const StepTerm* terms;
  const StepExit* exits;  ///< [rows] in discrete time
  const PrcFormTerm* exit_terms;
  const std::int32_t* time_order;  ///< [num_times] times by size
  const StepRung* rungs;
  const StepWindow* windows;
  const double* weights;
};

/// The numbers of one batch of n particles, lane-minor.
struct StepBatchView {
  LikelihoodBatchView likelihood;  ///< without transforms and tilts
  const std::int32_t* rung;        ///< [n] places in `StepView::rungs`
  std::int64_t num_steps;          ///< of the rung that has most
  /// [num_steps + 1, n] of alpha P^n: its product with the exit probabilities, its sum, what was absorbed before. After
  /// `weigh_step` what the likelihood weighs each of them with.
  double *absorption, *survival, *absorbed;
  double* excess;    ///< [n] the most by which the probabilities out of a state and to stay there miss 1
  double* from_cdf;  ///< [times, n] 1 where the cdf is the smaller of the two tails
};

/// Threads that share the rows of a lane: row v is the work of number v % kStepStreams. The bits depend on it.
inline constexpr std::int32_t kStepStreams = 8;

/// Where a lane's numbers stand among its slots.
struct StepSlots {
  std::int64_t segment = 0;  ///< steps between two vectors that are kept
  std::int64_t stay, exit, excess, parts, walk, sums, sizes, back, kept, again, total;

  SOJOURN_HD StepSlots(const PrcView& prc, std::int64_t num_steps, bool gradient) {
    const std::int64_t rows = prc.num_rows, extended = 1 + std::int64_t{prc.num_rates} + prc.num_forms;
    while (segment * segment <= num_steps) ++segment;
    stay = extended;
    exit = stay + rows;
    excess = exit + rows;
    parts = excess + kStepStreams;
    walk = parts + 4 * kStepStreams;
    sums = walk + 2 * rows;
    total = sums;
    sizes = back = kept = again = sums;
    if (!gradient) return;
    sizes = sums + kStepStreams * extended;
    back = sizes + kStepStreams * extended;
    kept = back + 4 * rows;
    again = kept + num_steps / segment * rows;
    total = again + segment * rows;
  }
};

}  // namespace sojourn
