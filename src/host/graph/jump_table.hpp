#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/random.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// The embedded jump chain at fixed rates: exit weights and one alias table per state (Walker 1977).
class JumpTable {
 public:
  /// `phi` [num_rates], all weights >= 0. Cost: O(edges), 20 bytes an edge.
  JumpTable(const StateGraph& graph, std::span<const double> phi);

  /// Sum of the weights out of a state; 0 where absorbing.
  [[nodiscard]] double exit_weight(std::int32_t state) const { return exit_weight_[state]; }
  /// State after the next jump out of `state`, which must not be absorbing. O(1).
  std::int32_t jump(std::int32_t state, PhiloxStream& random) const {
    const std::int64_t begin = graph_->edge_begin(state);
    const std::int64_t degree = graph_->edge_end(state) - begin;
    if (degree == 1) return graph_->edge_to(begin);
    const double place = random.next_uniform() * static_cast<double>(degree);
    const auto offset = static_cast<std::int64_t>(place);
    const std::int64_t edge = begin + offset;
    return place - static_cast<double>(offset) < threshold_[edge] ? graph_->edge_to(edge) : other_[edge];
  }
  /// A start state, or -1 for the mass that is absorbed at time zero. O(log start states).
  std::int32_t start(PhiloxStream& random) const;

 private:
  const StateGraph* graph_;
  std::vector<double> exit_weight_;
  std::vector<double> threshold_;    ///< [num_edges] chance to keep the edge that was hit
  std::vector<std::int32_t> other_;  ///< [num_edges] target state otherwise
  std::vector<double> cumulative_;   ///< of the start probabilities
};

}  // namespace sojourn
