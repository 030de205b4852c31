#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Whether states are known to be numbered in an order in which the start reaches them all.
enum class Discovery : std::uint8_t { kUnknown, kInOrder };

/// States that the start reaches and that cannot reach absorption, in increasing order, at most `max_listed`.
///
/// `phi` empty: over every edge, whatever its weight; else over the edges with weight > 0 at phi, and a state without
/// such an edge that is not absorbing is trapped. Breadth-first, no recursion. Cost: O(states + edges), 13 bytes a
/// state and 4 an edge.
std::vector<std::int32_t> trapped_states(const StateGraph& graph, std::span<const double> phi, std::size_t max_listed,
                                         Discovery discovery = Discovery::kUnknown);

}  // namespace sojourn
