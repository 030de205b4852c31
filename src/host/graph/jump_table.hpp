#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/sample_path.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// The arrays of a `JumpView`.
class JumpTable {
 public:
  /// `phi` [num_rates], all weights >= 0; `rewards` each [num_states]. Cost: O(edges), 16 bytes an edge, 16 a state, 8
  /// a state and reward.
  JumpTable(const StateGraph& graph, std::span<const double> phi, const std::vector<std::span<const double>>& rewards);

  /// Sum of the weights out of a state; 0 where absorbing.
  [[nodiscard]] double exit_weight(std::int32_t state) const { return exit_weight_[state]; }
  [[nodiscard]] std::int32_t num_rewards() const { return numbers_.num_rewards; }

  /// Pointers into this object.
  [[nodiscard]] JumpView view() const;
  /// The view without its pointers.
  [[nodiscard]] const JumpView& numbers() const { return numbers_; }
  /// Calls `place(pointer, array)` for each pointer of the view.
  template <class Place>
  void each_array(JumpView& view, Place&& place) const {
    place(view.edge_begin, edge_begin_);
    place(view.edge_to, edge_to_);
    place(view.other, other_);
    place(view.threshold, threshold_);
    place(view.exit_weight, exit_weight_);
    place(view.cumulative, cumulative_);
    place(view.start_state, start_state_);
    place(view.reward, reward_);
  }

 private:
  JumpView numbers_{};
  std::vector<std::int64_t> edge_begin_;
  std::vector<std::int32_t> edge_to_;
  std::vector<double> exit_weight_;
  std::vector<double> threshold_;
  std::vector<std::int32_t> other_;
  std::vector<double> cumulative_;
  std::vector<std::int32_t> start_state_;
  std::vector<double> reward_;
};

}  // namespace sojourn
