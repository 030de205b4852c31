#pragma once

#include <cstdint>
#include <span>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Where a law can have mass, from the graph's structure alone: every edge that has a base or a coefficient counts.
struct LawSupport {
  bool atom = false;             ///< P(Y = 0) > 0: a start defect, or a way to absorption through zero-reward states
  bool density_at_zero = false;  ///< without an atom: f(0+) > 0, absorption straight from a first rewarded state
  std::int64_t least_count = 0;  ///< discrete time: the fewest rewarded steps to absorption (0 with an atom)
  /// Fewest rewarded states on a way that earns at all, 0 where none does: f(t) ~ t^(steps - 1) near zero where every
  /// rate is positive.
  std::int64_t least_earning_steps = 0;
};

/// `reward` [num_states]. Cost: O(states + edges).
LawSupport law_support(const StateGraph& graph, std::span<const double> reward);

}  // namespace sojourn
