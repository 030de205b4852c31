#include "elimination/components.hpp"

#include <algorithm>

namespace sojourn {

Components strongly_connected_components(const StateGraph& graph) {
  const std::int32_t num_states = graph.num_states();
  constexpr std::int32_t kUnvisited = -1;
  Components result;
  result.component_of.assign(num_states, -1);
  std::vector<std::int32_t> index(num_states, kUnvisited);
  std::vector<std::int32_t> low(num_states, 0);
  std::vector<std::int32_t> open;  // Tarjan's stack: visited states whose component is not yet closed
  std::vector<char> is_open(num_states, 0);
  struct Frame {
    std::int32_t state;
    std::int64_t next_edge;
  };
  std::vector<Frame> path;
  std::int32_t next_index = 0;

  const auto enter = [&](std::int32_t state) {
    index[state] = low[state] = next_index++;
    open.push_back(state);
    is_open[state] = 1;
    path.push_back({state, graph.edge_begin(state)});
  };
  for (const InitialMass& start : graph.initial()) {
    if (index[start.state] != kUnvisited || graph.is_absorbing(start.state)) continue;
    enter(start.state);
    while (!path.empty()) {
      Frame& frame = path.back();
      const std::int32_t state = frame.state;
      if (frame.next_edge < graph.edge_end(state)) {
        const std::int32_t to = graph.edge_to(frame.next_edge++);
        if (graph.is_absorbing(to)) continue;
        if (index[to] == kUnvisited) {
          enter(to);
        } else if (is_open[to]) {
          low[state] = std::min(low[state], index[to]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back().state] = std::min(low[path.back().state], low[state]);
      if (low[state] != index[state]) continue;
      std::int32_t member;
      do {
        member = open.back();
        open.pop_back();
        is_open[member] = 0;
        result.component_of[member] = result.num_components;
      } while (member != state);
      ++result.num_components;
    }
  }
  return result;
}

}  // namespace sojourn
