#pragma once

#include <cstdint>
#include <utility>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// A walk on a grid of side^2 states, one component, from one corner to an exit at the other. Steps in each of the four
/// directions have a rate of their own, times `coefficient(rate)`.
template <class Coefficient>
StateGraph grid_graph(std::int32_t side, TimeKind time_kind, Coefficient&& coefficient) {
  StateGraphBuilder builder(time_kind, 4);
  builder.ensure_states(side * side + 1);
  const auto add = [&](std::int32_t from, std::int32_t to, std::int32_t rate) {
    const RateTerm term{rate, coefficient(rate)};
    builder.add_edge(from, to, 0, {&term, 1});
  };
  for (std::int32_t i = 0; i < side; ++i)
    for (std::int32_t j = 0; j < side; ++j) {
      const std::int32_t s = i * side + j;
      if (i > 0) add(s, s - side, 0);
      if (j > 0) add(s, s - 1, 1);
      if (j + 1 < side) add(s, s + 1, 2);
      if (i + 1 < side) add(s, s + side, 3);
    }
  add(side * side - 1, side * side, 0);
  builder.add_initial(0, 1);
  return std::move(builder).build();
}

}  // namespace sojourn
