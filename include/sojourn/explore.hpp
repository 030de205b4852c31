#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// What a transition adds to one variable of the state.
struct VariableChange {
  std::int32_t variable;
  std::int64_t delta;
};

/// Receives the transitions of one state during exploration.
class TransitionSink {
 public:
  virtual ~TransitionSink() = default;
  /// A transition to `to` (one integer per variable) with weight base + sum of terms. Several to one state add up; one
  /// whose base and coefficients are all 0 is left out. Cost: one look-up, no allocation once the tables have grown.
  virtual void emit(std::span<const std::int32_t> to, double base, std::span<const RateTerm> terms) = 0;
  /// The same for the state that some changes make of the one being expanded; those of one variable add up. Quicker
  /// where most of many variables keep their values.
  virtual void emit_change(std::span<const VariableChange> changes, double base, std::span<const RateTerm> terms) = 0;
};

/// Writes all transitions out of `state` into the sink; emitting none makes the state absorbing.
using TransitionFunction = std::function<void(std::span<const std::int32_t> state, TransitionSink& sink)>;

/// Receives the transitions of several states, one state after another.
class TransitionBlockSink : public TransitionSink {
 public:
  /// What is emitted from now on leaves row `k` of the block. Each row once, in ascending order.
  virtual void begin_state(std::size_t k) = 0;
};

/// States that are expanded together at most.
inline constexpr std::int32_t kLargestStateBlock = 64;

/// Writes all transitions out of each row of `states` [n, variables] into the sink: for callbacks that can work on many
/// states at a time. The rows are the next states, kLargestStateBlock at most.
using TransitionBlockFunction = std::function<void(MatrixView<const std::int32_t> states, TransitionBlockSink& sink)>;

struct ExploreOptions {
  TimeKind time_kind = TimeKind::kContinuous;
  std::int32_t num_rates = 1;
  std::vector<std::string> variable_names;
  /// Start states with their probabilities.
  std::vector<std::pair<std::vector<std::int32_t>, double>> initial;
  /// Exploration stops with a ModelError beyond this many states.
  std::int64_t max_states = 10'000'000;
  /// Named rewards, each a function of the state's variables, evaluated once per transient state.
  std::vector<std::pair<std::string, std::function<double(std::span<const std::int32_t>)>>> rewards;
  /// Copies of the transitions and of the rewards may be called by several threads at once, each copy by one thread,
  /// and again for a state that they were called for. Off: one thread calls them, once a state. The graph is the same.
  bool concurrent = false;
  std::int32_t num_threads = 0;  ///< where concurrent; 0: what OpenMP would take
};

/// Breadth-first exploration of the state space reachable from the start states, in discovery order.
///
/// States are packed into 128-bit keys where the values seen fit, and looked up in an open-addressing table.
/// Cost: O(states + edges) calls and look-ups, 29 to 43 bytes a state beside the graph itself. No recursion. The graph
/// does not depend on the number of threads.
/// @throws ModelError beyond `max_states` and beyond `memory_left()` at its start, for a malformed transition, and all
/// errors of `StateGraphBuilder::build`.
StateGraph explore(const ExploreOptions& options, const TransitionFunction& transitions);
/// The same by a callback for several states at a time. @throws UsageError where it does not begin each of them in
/// turn.
StateGraph explore_blocks(const ExploreOptions& options, const TransitionBlockFunction& transitions);

}  // namespace sojourn
