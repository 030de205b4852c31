#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sojourn/growing_array.hpp"
#include "sojourn/implied_array.hpp"
#include "sojourn/integer_rows.hpp"

namespace sojourn {

enum class TimeKind { kContinuous, kDiscrete };

/// One term `coefficient * phi[rate]` of an edge weight.
struct RateTerm {
  std::int32_t rate;
  double coefficient;
};

/// The constant part of each edge's weight; most models have none.
struct NoBase {
  static double at(std::size_t) { return 0; }
};
using EdgeBases = ImpliedArray<double, NoBase>;

/// Where the terms of each edge begin, [num_edges + 1]; most edges have one.
struct OneTerm {
  static std::int64_t at(std::size_t edge) { return static_cast<std::int64_t>(edge); }
};
using TermBegins = ImpliedArray<std::int64_t, OneTerm>;

/// A start state and its probability.
struct InitialMass {
  std::int32_t state;
  double probability;
};

/// Named reward earned per unit of time (or per step) in each state; [num_states], finite, >= 0, 0 where absorbing.
struct Reward {
  std::string name;
  std::vector<double> values;
};

/// A Markov chain with parametric edge weights, the value every later stage starts from.
///
/// weight_e = base_e + sum_k coefficient_ek * phi_k, with phi the rates (equal to theta unless the model derives them).
/// A state without out-edges is absorbing. In discrete time a row's edges are probabilities and what they leave of 1
/// stays in the state. Immutable; made by `StateGraphBuilder`. Edges are sorted by (from, to), without duplicates.
class StateGraph {
 public:
  [[nodiscard]] TimeKind time_kind() const { return time_kind_; }
  [[nodiscard]] std::int32_t num_states() const { return static_cast<std::int32_t>(edge_begin_.size()) - 1; }
  [[nodiscard]] std::int64_t num_edges() const { return static_cast<std::int64_t>(edge_to_.size()); }
  [[nodiscard]] std::int32_t num_rates() const { return num_rates_; }
  [[nodiscard]] std::int64_t edge_begin(std::int32_t state) const { return edge_begin_[state]; }
  [[nodiscard]] std::int64_t edge_end(std::int32_t state) const { return edge_begin_[state + 1]; }
  [[nodiscard]] std::int32_t edge_to(std::int64_t edge) const { return edge_to_[edge]; }
  /// Source state of an edge; O(log num_states).
  [[nodiscard]] std::int32_t edge_from(std::int64_t edge) const;
  [[nodiscard]] double base(std::int64_t edge) const { return base_[edge]; }
  [[nodiscard]] std::span<const RateTerm> terms(std::int64_t edge) const {
    return {terms_.data() + term_begin_[edge], terms_.data() + term_begin_[edge + 1]};
  }
  [[nodiscard]] bool is_absorbing(std::int32_t state) const { return edge_begin_[state] == edge_begin_[state + 1]; }
  /// base + sum coefficient * phi; to the last digits also where its terms cancel.
  [[nodiscard]] double weight(std::int64_t edge, std::span<const double> phi) const {
    double sum = base_[edge], lowest = sum;
    for (const RateTerm& term : terms(edge)) {
      const double product = term.coefficient * phi[term.rate];
      sum += product;
      lowest = product < lowest ? product : lowest;
    }
    return lowest < 0 ? cancelling_weight(edge, phi) : sum;
  }
  [[nodiscard]] std::span<const InitialMass> initial() const { return initial_; }
  /// 1 - sum of the start probabilities: the mass that is absorbed at time zero.
  [[nodiscard]] double defect() const { return defect_; }
  [[nodiscard]] std::span<const Reward> rewards() const { return rewards_; }
  /// Reward by name. @throws UsageError naming the rewards there are.
  [[nodiscard]] std::span<const double> reward(std::string_view name) const;
  /// 1 per transient state, 0 where absorbing: time itself.
  [[nodiscard]] const std::vector<double>& unit_reward() const { return unit_reward_; }
  /// Variables of a state, [num_variables], empty for explicit models; used by `inspect` and pictures.
  [[nodiscard]] std::vector<std::int32_t> state_variables(std::int32_t state) const {
    return variables_.width() == 0 ? std::vector<std::int32_t>() : variables_.values(static_cast<std::size_t>(state));
  }
  [[nodiscard]] const std::vector<std::string>& variable_names() const { return variable_names_; }
  /// Memory held by the graph. O(number of rewards).
  [[nodiscard]] std::int64_t num_bytes() const;
  /// Upper bound of every |weight| at rates in [0, largest_rate]; infinite unless every base and coefficient is >= 0.
  /// O(1). A finite bound proves that no weight is negative or overflows there.
  [[nodiscard]] double weight_bound(double largest_rate) const {
    return largest_base_ + (largest_rate > 0 ? largest_coefficient_sum_ * largest_rate : 0);
  }

 private:
  friend class StateGraphBuilder;
  friend struct LawParts;  // graph/law_parts.hpp
  [[nodiscard]] double cancelling_weight(std::int64_t edge, std::span<const double> phi) const;

  static constexpr std::int64_t kZero[] = {0};
  TimeKind time_kind_ = TimeKind::kContinuous;
  std::int32_t num_rates_ = 0;
  GrowingArray<std::int64_t> edge_begin_{std::span(kZero)};
  GrowingArray<std::int32_t> edge_to_;
  EdgeBases base_;
  TermBegins term_begin_;
  GrowingArray<RateTerm> terms_;
  std::vector<InitialMass> initial_;
  double defect_ = 0;
  std::vector<Reward> rewards_;
  std::vector<double> unit_reward_;
  std::vector<std::string> variable_names_;
  IntegerRows variables_;
  double largest_base_ = 0;             ///< infinite when a base or coefficient is negative
  double largest_coefficient_sum_ = 0;  ///< of one edge
};

/// Collects states and edges in any order and checks them once.
class StateGraphBuilder {
 public:
  StateGraphBuilder(TimeKind time_kind, std::int32_t num_rates) : time_kind_(time_kind), num_rates_(num_rates) {
    term_begin_.push_back(0);
  }

  /// Grows the graph to at least `num_states` states.
  void ensure_states(std::int32_t num_states);
  /// Names the integer variables; then give `state_variables` row by row to `add_state`.
  void set_variable_names(std::vector<std::string> names);
  enum class StateRows : std::uint8_t { kToCheck, kExplored };
  /// Replaces all states by the rows of `variables`, [num_states, names.size()]; for explorers that hold them already.
  /// `kExplored` says that no two rows are equal and that the start reaches every state, which is then not checked.
  void set_states(std::vector<std::string> names, IntegerRows variables, StateRows rows = StateRows::kToCheck);
  /// Appends a state with its variables (empty when none are named) and returns its index.
  std::int32_t add_state(std::span<const std::int32_t> variables = {});
  /// Terms of one rate are summed and zero coefficients dropped. Edges given in (from, to) order are moved, not sorted.
  void add_edge(std::int32_t from, std::int32_t to, double base, std::span<const RateTerm> terms);
  /// Replaces all edges by those of states 0, 1, ...: `edge_begin` [rows + 1], `to` ascending in each row, `terms` of
  /// an edge in ascending order of rate and without zeros, as `StateGraph` holds them. They are checked as others are.
  void set_rows(GrowingArray<std::int64_t> edge_begin, GrowingArray<std::int32_t> to, EdgeBases base,
                TermBegins term_begin, GrowingArray<RateTerm> terms);
  void add_initial(std::int32_t state, double probability);
  /// `values` [num_states]; values at absorbing states are ignored and stored as 0.
  void add_reward(std::string name, std::vector<double> values);

  /// Checks and sorts. Cost: O(states + edges log degree).
  /// @throws ModelError naming the edge or state for: unknown state, self-loop, duplicate edge or state,
  ///   a non-finite or constant weight <= 0, a rate index out of range, a discrete row whose constant part exceeds 1,
  ///   no absorbing state, a state reachable from the start that cannot reach absorption (a defective law), start
  ///   probabilities that are negative or sum to 0 or to more than 1 + 1e-12, a negative, misshapen or all-zero reward.
  /// A start whose sum is within 1e-12 of 1 has no defect. States that the start cannot reach are kept unchecked.
  StateGraph build() &&;

 private:
  void check_states() const;
  /// What weights can reach, found while edges are checked.
  struct WeightBounds {
    double base = 0, coefficient_sum = 0;
  };
  [[nodiscard]] WeightBounds check_edges() const;
  void check_edge(std::int64_t edge) const;
  bool is_plain(std::int64_t edge, WeightBounds& bounds) const;
  void sort_edges();
  void check_rows(const StateGraph& graph) const;
  void check_absorption(const StateGraph& graph) const;
  void take_initial(StateGraph& graph);
  void take_rewards(StateGraph& graph);

  TimeKind time_kind_;
  std::int32_t num_rates_;
  std::int32_t num_states_ = 0;
  StateRows state_rows_ = StateRows::kToCheck;
  GrowingArray<std::int32_t> edge_from_, edge_to_;
  GrowingArray<std::int64_t> edge_begin_;  ///< where rows were set; edge_from_ is then empty
  EdgeBases base_;
  TermBegins term_begin_;
  GrowingArray<RateTerm> terms_;
  std::vector<InitialMass> initial_;
  std::vector<Reward> rewards_;
  std::vector<std::string> variable_names_;
  IntegerRows variables_;
};

/// First edge whose weight is negative or not finite at phi, or -1. Cost: O(edges) at worst, O(num_rates) where every
/// coefficient and every phi is non-negative.
std::int64_t first_bad_edge(const StateGraph& graph, std::span<const double> phi);

}  // namespace sojourn
