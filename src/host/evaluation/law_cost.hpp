#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/transform.hpp"
#include "sojourn/prc.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Predicted multiply-adds of the routes to a law, always with gradients, so that asking for a gradient never changes
/// the route.
class LawCost {
 public:
  LawCost(const StateGraph& graph, const Prc& prc, std::span<const double> reward);

  /// Shared contour with `num_nodes` nodes and `num_checks` check nodes for `num_points` values, `num_transforms` of D,
  /// G.
  [[nodiscard]] double contour(std::size_t num_nodes, std::size_t num_checks, std::size_t num_transforms,
                               std::size_t num_points) const;
  /// Saddlepoint contours of `num_values` values.
  [[nodiscard]] double saddlepoint(std::size_t num_values) const;
  /// `num_windows` groups of close values, each group from a common saddlepoint.
  [[nodiscard]] double tilted_contour(std::size_t num_windows, std::size_t num_values) const;
  /// Uniformization up to `largest_time` with rate `rate` for `num_points` points.
  [[nodiscard]] double uniformization(double rate, double largest_time, std::size_t num_points) const;

  /// Stepping to a count.
  [[nodiscard]] double stepping(double largest_count) const;

  /// Real multiply-adds of replays that were made, by `PrcCost`: four for a product of complex numbers, two for one
  /// with an edge's coefficient.
  [[nodiscard]] double multiply_adds(const ReplayTally& tally) const;

  [[nodiscard]] std::int64_t num_rates() const { return num_rates_; }

  /// Largest exit rate per unit of reward over the states that earn: what the uniformization rate is about.
  [[nodiscard]] double uniformization_rate(std::span<const double> phi) const;

 private:
  const StateGraph* graph_;
  std::vector<double> inverse_reward_;  ///< [num_states], 0 where nothing is earned
  double factor_, solve_, edges_;
  std::int64_t num_rates_;
  double factor_pairs_, entries_, terms_;  ///< multiply-adds of factors; of a solve, with entries and along edges
};

}  // namespace sojourn
