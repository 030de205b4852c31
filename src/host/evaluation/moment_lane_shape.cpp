#include "evaluation/moment_lane_shape.hpp"

#include "elimination/level_schedule.hpp"
#include "evaluation/difference_program.hpp"

namespace sojourn {

MomentLaneShape moment_lane_shape(const PrcArrays& arrays, int order, bool gradient, bool single) {
  MomentLaneShape shape{arrays.component_bounds()};
  shape.order = order;
  shape.gradient = gradient;
  shape.single = single;
  shape.num_value_slots = arrays.num_value_slots;
  if (gradient) shape.num_partials = gradient_partials(arrays);
  shape.share = GradientJudge(arrays, order).share();
  shape.tolerance = kGradientTolerance;
  return shape;
}

}  // namespace sojourn
