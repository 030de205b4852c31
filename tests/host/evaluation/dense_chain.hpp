#pragma once

#include "sojourn/state_graph.hpp"

namespace sojourn::testing {

/// States that all lead to each other and out, by three rates in turn: one component that goes by fronts from some
/// twenty states on.
inline StateGraph dense_chain(std::int32_t num_states) {
  StateGraphBuilder builder(TimeKind::kContinuous, 3);
  builder.ensure_states(num_states + 1);
  for (std::int32_t from = 0; from < num_states; ++from) {
    for (std::int32_t to = 0; to <= num_states; ++to) {
      if (to == from) continue;
      const RateTerm term{(from + to) % 3, 1.0 + 0.1 * ((7 * from + 3 * to) % 5)};
      builder.add_edge(from, to, 0, {&term, 1});
    }
  }
  builder.add_initial(0, 0.75);
  builder.add_initial(num_states / 2, 0.25);
  return std::move(builder).build();
}

}  // namespace sojourn::testing
