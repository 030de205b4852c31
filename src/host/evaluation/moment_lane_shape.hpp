#pragma once

#include "common/moment_lane.hpp"
#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// What lanes of a program need for moments up to `order`, with gradients judged as the host judges its own; `single`:
/// values alone, in single precision.
MomentLaneShape moment_lane_shape(const PrcArrays& arrays, int order, bool gradient, bool single = false);

}  // namespace sojourn
