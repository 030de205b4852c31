#include "posterior/law_support.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <vector>

namespace sojourn {
namespace {

constexpr std::int64_t kUnreached = std::numeric_limits<std::int64_t>::max();
/// Start probabilities may miss 1 by this much in rounding.
constexpr double kDefectTolerance = 1e-12;

bool can_be_positive(const StateGraph& graph, std::int64_t edge) {
  if (graph.base(edge) != 0) return true;
  for (const RateTerm& term : graph.terms(edge))
    if (term.coefficient != 0) return true;
  return false;
}

}  // namespace

LawSupport law_support(const StateGraph& graph, std::span<const double> reward) {
  // The length of a way is the number of rewarded states it leaves. Breadth first over lengths: leaving a state without
  // reward is free and goes to the front of the queue.
  std::vector<std::int64_t> length(graph.num_states(), kUnreached);
  std::deque<std::int32_t> queue;
  LawSupport support;
  std::int64_t shortest = kUnreached;
  for (const InitialMass& start : graph.initial()) {
    if (start.probability <= 0 || length[start.state] == 0) continue;
    length[start.state] = 0;
    queue.push_back(start.state);
  }
  while (!queue.empty()) {
    const std::int32_t state = queue.front();
    queue.pop_front();
    if (graph.is_absorbing(state)) {
      shortest = std::min(shortest, length[state]);
      continue;
    }
    const bool rewarded = reward[state] > 0;
    const std::int64_t next = length[state] + (rewarded ? 1 : 0);
    for (std::int64_t edge = graph.edge_begin(state); edge < graph.edge_end(state); ++edge) {
      const std::int32_t to = graph.edge_to(edge);
      if (next >= length[to] || !can_be_positive(graph, edge)) continue;
      length[to] = next;
      if (rewarded) {
        queue.push_back(to);
      } else {
        queue.push_front(to);
      }
    }
  }
  support.atom = graph.defect() > kDefectTolerance || shortest == 0;
  support.least_count = support.atom || shortest == kUnreached ? 0 : shortest;
  support.density_at_zero = !support.atom && shortest == 1;
  return support;
}

}  // namespace sojourn
