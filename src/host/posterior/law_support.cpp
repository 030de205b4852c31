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
  // reward is free and goes to the front of the queue. `least` is the shortest way to absorption among those that begin
  // in the queue.
  std::vector<std::int64_t> length(graph.num_states(), kUnreached);
  std::deque<std::int32_t> queue;
  const auto reach = [&](std::int32_t state, std::int64_t next, bool at_once) {
    if (next >= length[state]) return;
    length[state] = next;
    if (at_once) {
      queue.push_front(state);
    } else {
      queue.push_back(state);
    }
  };
  const auto follow = [&] {
    std::int64_t least = kUnreached;
    while (!queue.empty()) {
      const std::int32_t state = queue.front();
      queue.pop_front();
      if (graph.is_absorbing(state)) {
        least = std::min(least, length[state]);
        continue;
      }
      const bool rewarded = reward[state] > 0;
      const std::int64_t next = length[state] + (rewarded ? 1 : 0);
      for (std::int64_t edge = graph.edge_begin(state); edge < graph.edge_end(state); ++edge) {
        if (can_be_positive(graph, edge)) reach(graph.edge_to(edge), next, !rewarded);
      }
    }
    return least;
  };
  for (const InitialMass& start : graph.initial()) {
    if (start.probability > 0) reach(start.state, 0, false);
  }
  const std::int64_t shortest = follow();

  // Again from what the first rewarded states lead to, so that ways which earn nothing do not hide those that do.
  std::vector<std::int32_t> first_earners;
  for (std::int32_t state = 0; state < graph.num_states(); ++state) {
    if (length[state] == 0 && reward[state] > 0 && !graph.is_absorbing(state)) first_earners.push_back(state);
  }
  std::fill(length.begin(), length.end(), kUnreached);
  for (const std::int32_t state : first_earners) {
    for (std::int64_t edge = graph.edge_begin(state); edge < graph.edge_end(state); ++edge) {
      if (can_be_positive(graph, edge)) reach(graph.edge_to(edge), 1, false);
    }
  }
  const std::int64_t earning = follow();

  LawSupport support;
  support.atom = graph.defect() > kDefectTolerance || shortest == 0;
  support.least_count = support.atom || shortest == kUnreached ? 0 : shortest;
  support.density_at_zero = !support.atom && shortest == 1;
  support.least_earning_steps = earning == kUnreached ? 0 : earning;
  return support;
}

}  // namespace sojourn
