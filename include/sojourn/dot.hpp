#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// The graph in Graphviz's DOT language, for `sojourn inspect --dot MODEL | dot -Tsvg`.
///
/// States are labelled by their variables (zeros left out where there are more than four), edges by their weight as an
/// expression of the rates, start states by their probability; absorbing states have a double border.
/// @param rate_names  Names of the rates, [num_rates]: the parameters, or the derived rates where the model has some.
/// @throws UsageError beyond `max_states` states, which no picture shows legibly; ShapeError for the names.
std::string to_dot(const StateGraph& graph, std::span<const std::string> rate_names, std::int32_t max_states = 300);

}  // namespace sojourn
