#pragma once

#include <span>
#include <utility>

#include "expects.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// @throws ShapeError unless it has a value for each of the graph's states.
inline void expect_reward(const StateGraph& graph, std::span<const double> reward) {
  SOJOURN_EXPECTS(std::cmp_equal(reward.size(), graph.num_states()), ShapeError,
                  "reward: {} values; the model has {} states", reward.size(), graph.num_states());
}

}  // namespace sojourn
