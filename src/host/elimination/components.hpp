#pragma once

#include <cstdint>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Strongly connected components of the transient states that the start can reach.
struct Components {
  /// [num_states]; -1 for absorbing and unreachable states. Numbered in reverse topological order: an edge between
  /// components always leads to a smaller number.
  std::vector<std::int32_t> component_of;
  std::int32_t num_components = 0;
};

/// Tarjan (1972) with an explicit stack. Cost: O(states + edges).
Components strongly_connected_components(const StateGraph& graph);

}  // namespace sojourn
