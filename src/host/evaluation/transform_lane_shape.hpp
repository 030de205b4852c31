#pragma once

#include <span>
#include <string>

#include "common/transform_lane.hpp"
#include "elimination/prc_arrays.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// What keeps a law's transforms from being computed by `transform_lane`, in words with the way out; empty where
/// nothing does. `reward` [num_states].
std::string why_no_transform_lanes(const StateGraph& graph, std::span<const double> reward);

/// What lanes of a program need for the transforms asked for.
TransformLaneShape transform_lane_shape(const PrcArrays& arrays, bool density, bool survival, bool gradient);

}  // namespace sojourn
