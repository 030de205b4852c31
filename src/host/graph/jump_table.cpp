#include "graph/jump_table.hpp"

#include <algorithm>

namespace sojourn {

JumpTable::JumpTable(const StateGraph& graph, std::span<const double> phi,
                     const std::vector<std::span<const double>>& rewards)
    : exit_weight_(graph.num_states(), 0.0), threshold_(graph.num_edges(), 1.0), other_(graph.num_edges(), 0) {
  for (std::int32_t s = 0; s < graph.num_states(); ++s) edge_begin_.push_back(graph.edge_begin(s));
  edge_begin_.push_back(graph.num_edges());
  edge_to_.reserve(graph.num_edges());
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) edge_to_.push_back(graph.edge_to(e));
  std::vector<double> scaled;
  std::vector<std::int64_t> small, large;
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    const std::int64_t begin = graph.edge_begin(s), degree = graph.edge_end(s) - begin;
    scaled.resize(degree);
    for (std::int64_t k = 0; k < degree; ++k) exit_weight_[s] += scaled[k] = graph.weight(begin + k, phi);
    if (degree < 2 || exit_weight_[s] == 0) continue;
    // Vose (1991): columns below their share are filled up by columns above it; what rounding leaves keeps threshold 1.
    small.clear();
    large.clear();
    for (std::int64_t k = 0; k < degree; ++k) {
      scaled[k] = scaled[k] / exit_weight_[s] * static_cast<double>(degree);
      (scaled[k] < 1 ? small : large).push_back(k);
    }
    while (!small.empty() && !large.empty()) {
      const std::int64_t low = small.back(), high = large.back();
      small.pop_back();
      threshold_[begin + low] = scaled[low];
      other_[begin + low] = graph.edge_to(begin + high);
      scaled[high] -= 1 - scaled[low];
      if (scaled[high] < 1) {
        large.pop_back();
        small.push_back(high);
      }
    }
  }
  double sum = 0;
  for (const InitialMass& mass : graph.initial()) {
    cumulative_.push_back(sum += mass.probability);
    start_state_.push_back(mass.state);
  }
  // Without a defect, rounding of the sum must not look like one.
  if (graph.defect() == 0) cumulative_.back() = 1;
  for (const std::span<const double> reward : rewards) reward_.insert(reward_.end(), reward.begin(), reward.end());
  numbers_.num_states = graph.num_states();
  numbers_.num_starts = static_cast<std::int32_t>(cumulative_.size());
  numbers_.num_rewards = static_cast<std::int32_t>(rewards.size());
  numbers_.discrete = graph.time_kind() == TimeKind::kDiscrete;
  numbers_.starts_surely = cumulative_.size() == 1 && cumulative_.front() == 1;
}

JumpView JumpTable::view() const {
  JumpView view = numbers_;
  each_array(view, [](auto& pointer, const auto& array) { pointer = array.data(); });
  return view;
}

}  // namespace sojourn
