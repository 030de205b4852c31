#include "evaluation/moment_lane_shape.hpp"

#include <algorithm>

#include "evaluation/lane_replay.hpp"

namespace sojourn {

MomentLaneShape moment_lane_shape(const PrcArrays& arrays, int order, bool gradient) {
  MomentLaneShape shape;
  shape.order = order;
  shape.gradient = gradient;
  shape.num_value_slots = arrays.num_value_slots;
  for (const PrcComponent& component : arrays.components) {
    shape.most_entries = std::max(shape.most_entries, component.entry_end - component.entry_begin);
    shape.most_rows = std::max(shape.most_rows, component.row_end - component.row_begin);
    shape.has_fronts |= component.front_begin != component.front_end;
  }
  shape.share = GradientJudge(arrays, order).share();
  shape.tolerance = kGradientTolerance;
  return shape;
}

}  // namespace sojourn
