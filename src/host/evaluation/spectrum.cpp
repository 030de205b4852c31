#include "evaluation/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "elimination/components.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Edge from -> to, or -1.
std::int64_t find_edge(const StateGraph& graph, std::int32_t from, std::int32_t to) {
  std::int64_t low = graph.edge_begin(from), high = graph.edge_end(from);
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (graph.edge_to(middle) < to) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < graph.edge_end(from) && graph.edge_to(low) == to ? low : -1;
}

}  // namespace

Spectrum::Spectrum(const StateGraph& graph, std::span<const double> reward) : graph_(&graph) {
  const std::int32_t num_states = graph.num_states();
  inverse_reward_.resize(num_states);
  for (std::int32_t i = 0; i < num_states; ++i) {
    if (graph.is_absorbing(i)) continue;
    if (reward[i] > 0) {
      inverse_reward_[i] = 1 / reward[i];
    } else {
      // Each state passed through multiplies the relative perturbation of the weights around it by at most 1 + 2.
      zero_factor_ += 2;
    }
  }

  const Components found = strongly_connected_components(graph);
  std::vector<std::vector<std::int32_t>> members(found.num_components);
  for (std::int32_t i = 0; i < num_states; ++i) {
    if (found.component_of[i] >= 0) members[found.component_of[i]].push_back(i);
  }
  std::vector<std::int32_t> local(num_states, -1);
  returning_.resize(num_states);
  for (std::int32_t i = 0; i < num_states; ++i) {
    returning_[i] = found.component_of[i] >= 0 && members[found.component_of[i]].size() > 1;
  }
  for (std::int32_t c = 0; c < found.num_components; ++c) {
    if (members[c].size() < 3) continue;  // one state, or two joined by one pair of edges: a tree
    const auto size = static_cast<std::int32_t>(members[c].size());
    std::int64_t num_inner = 0;
    bool one_way = false;
    for (const std::int32_t i : members[c]) {
      for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) {
        const std::int32_t j = graph.edge_to(e);
        if (j == i || found.component_of[j] != c) continue;
        ++num_inner;
        one_way = one_way || find_edge(graph, j, i) < 0;
      }
    }
    if (!one_way && num_inner == 2 * static_cast<std::int64_t>(size - 1)) continue;  // a tree

    Component component;
    component.num_states = size;
    component.one_way = one_way;
    if (!one_way) {
      std::int32_t next = 0;
      component.states.push_back(members[c].front());
      local[members[c].front()] = next++;
      for (std::size_t head = 0; head < component.states.size(); ++head) {
        const std::int32_t i = component.states[head];
        for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) {
          const std::int32_t j = graph.edge_to(e);
          if (j == i || found.component_of[j] != c) continue;
          if (local[j] < 0) {
            local[j] = next++;
            component.states.push_back(j);
            component.tree.push_back({local[i], local[j], e, find_edge(graph, j, i)});
          } else if (local[i] < local[j]) {
            component.others.push_back({local[i], local[j], e, find_edge(graph, j, i)});
          }
        }
      }
      scratch_size_ = std::max(scratch_size_, static_cast<std::size_t>(size));
    }
    components_.push_back(std::move(component));
  }
}

bool Spectrum::no_negative_eigenvalue(std::span<const double> phi) const {
  for (std::int32_t i = 0; i < graph_->num_states(); ++i) {
    double leave = 0;
    for (std::int64_t e = graph_->edge_begin(i); e < graph_->edge_end(i); ++e) leave += graph_->weight(e, phi);
    if (!(leave <= (returning_[i] ? 0.5 : 1.0)) || (returning_[i] && inverse_reward_[i] == 0)) return false;
  }
  return true;
}

std::int64_t Spectrum::num_bytes() const {
  std::size_t bytes = returning_.size() + sizeof(double) * inverse_reward_.size();
  for (const Component& component : components_) {
    bytes += sizeof component + sizeof(Pair) * (component.tree.size() + component.others.size()) +
             sizeof(std::int32_t) * component.states.size();
  }
  return static_cast<std::int64_t>(bytes);
}

double Spectrum::imaginary_bound(std::span<const double> phi, std::span<double> scratch) const {
  double bound = 0;
  for (const Component& component : components_) {
    if (component.one_way) return kInfinity;
    scratch[0] = 0;
    for (const Pair& pair : component.tree) {
      const double forward = graph_->weight(pair.forward, phi), backward = graph_->weight(pair.backward, phi);
      // A weight that vanishes at this particle breaks the spanning tree, and nothing is proved here.
      if (!(forward > 0) || !(backward > 0)) return kInfinity;
      scratch[pair.to] = scratch[pair.from] + std::log(forward / backward);
    }
    double miss = 0;
    for (const Pair& pair : component.others) {
      const double forward = graph_->weight(pair.forward, phi), backward = graph_->weight(pair.backward, phi);
      if (forward == 0 && backward == 0) continue;
      if (!(forward > 0) || !(backward > 0)) return kInfinity;
      miss = std::max(miss, std::abs(scratch[pair.from] + std::log(forward / backward) - scratch[pair.to]));
    }
    if (!(miss <= kLargestMiss)) return kInfinity;
    double largest_exit = 0;
    for (const std::int32_t i : component.states) {
      double exit = 0;
      for (std::int64_t e = graph_->edge_begin(i); e < graph_->edge_end(i); ++e) exit += graph_->weight(e, phi);
      largest_exit = std::max(largest_exit, exit * inverse_reward_[i]);
    }
    bound = std::max(bound, 2 * zero_factor_ * miss * largest_exit);
  }
  return bound;
}

}  // namespace sojourn
