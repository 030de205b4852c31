#include "graph/reachability.hpp"

#include <algorithm>

namespace sojourn {
namespace {

/// Marks every state reachable from the start and returns them in breadth-first order.
std::vector<std::int32_t> reach_from_start(const StateGraph& graph, std::span<const double> phi,
                                           std::vector<std::uint8_t>& reached) {
  std::vector<std::int32_t> queue;
  const auto push = [&](std::int32_t state) {
    if (reached[state]) return;
    reached[state] = 1;
    queue.push_back(state);
  };
  for (const InitialMass& mass : graph.initial()) push(mass.state);
  for (std::size_t head = 0; head < queue.size(); ++head) {
    const std::int32_t state = queue[head];
    for (std::int64_t e = graph.edge_begin(state); e < graph.edge_end(state); ++e)
      if (phi.empty() || graph.weight(e, phi) > 0) push(graph.edge_to(e));
  }
  return queue;
}

}  // namespace

std::vector<std::int32_t> trapped_states(const StateGraph& graph, std::span<const double> phi, std::size_t max_listed,
                                         Discovery discovery) {
  const std::int32_t num_states = graph.num_states();
  std::vector<std::uint8_t> reached(num_states, discovery == Discovery::kInOrder ? 1 : 0);
  std::vector<std::int32_t> order;
  if (discovery == Discovery::kUnknown) order = reach_from_start(graph, phi, reached);
  const std::size_t num_reached =
      discovery == Discovery::kInOrder ? static_cast<std::size_t>(num_states) : order.size();

  // Most chains run forward in discovery order, so one backward sweep settles nearly every state. Some turn back at
  // last: sweeps over what is left, to and fro, go on while they settle most of it, and the reversed edges are built
  // for the rest only.
  std::vector<std::uint8_t> absorbs(num_states, 0);
  const auto settles = [&](std::int32_t state) {
    bool found = graph.is_absorbing(state);
    // After a backward sweep later states are settled, so the last edges are asked first.
    for (std::int64_t e = graph.edge_end(state); e-- > graph.edge_begin(state) && !found;)
      found = absorbs[graph.edge_to(e)] && (phi.empty() || graph.weight(e, phi) > 0);
    absorbs[state] = found;
    return found;
  };
  std::vector<std::int32_t> open;
  for (std::size_t k = num_reached; k-- > 0;) {
    const std::int32_t state = discovery == Discovery::kInOrder ? static_cast<std::int32_t>(k) : order[k];
    if (!settles(state)) open.push_back(state);
  }
  for (std::size_t before = 2 * open.size() + 1; !open.empty() && 2 * open.size() < before;) {
    before = open.size();
    for (int sweep = 0; sweep < 2; ++sweep) {
      std::ranges::reverse(open);
      std::erase_if(open, settles);
    }
  }
  if (open.empty()) return {};

  std::vector<std::int64_t> begin(static_cast<std::size_t>(num_states) + 1, 0);
  const auto for_open_edges = [&](auto&& visit) {
    for (const std::int32_t state : open)
      for (std::int64_t e = graph.edge_begin(state); e < graph.edge_end(state); ++e)
        if (phi.empty() || graph.weight(e, phi) > 0) visit(state, graph.edge_to(e));
  };
  for_open_edges([&](std::int32_t, std::int32_t to) { ++begin[to + 1]; });
  for (std::int32_t s = 0; s < num_states; ++s) begin[s + 1] += begin[s];
  std::vector<std::int32_t> source(begin[num_states]);
  std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
  for_open_edges([&](std::int32_t from, std::int32_t to) { source[next[to]++] = from; });

  std::vector<std::int32_t> queue;
  for_open_edges([&](std::int32_t from, std::int32_t to) {
    if (!absorbs[to] || absorbs[from]) return;
    absorbs[from] = 1;
    queue.push_back(from);
  });
  for (std::size_t head = 0; head < queue.size(); ++head)
    for (std::int64_t k = begin[queue[head]]; k < begin[queue[head] + 1]; ++k)
      if (!absorbs[source[k]]) {
        absorbs[source[k]] = 1;
        queue.push_back(source[k]);
      }

  std::vector<std::int32_t> trapped;
  for (std::int32_t s = 0; s < num_states && trapped.size() < max_listed; ++s)
    if (reached[s] && !absorbs[s]) trapped.push_back(s);
  return trapped;
}

}  // namespace sojourn
