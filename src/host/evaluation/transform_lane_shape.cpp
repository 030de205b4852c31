#include "evaluation/transform_lane_shape.hpp"

#include "elimination/level_schedule.hpp"
#include "expects.hpp"

namespace sojourn {

std::string why_no_transform_lanes(const StateGraph& graph, std::span<const double> reward) {
  if (graph.time_kind() == TimeKind::kDiscrete)
    return "the model is in discrete time; its laws are computed on the CPU";
  for (std::int32_t state = 0; state < graph.num_states(); ++state) {
    if (!graph.is_absorbing(state) && !(reward[state] > 0))
      return fmt::format("state {} earns no reward; laws that pass through such states are computed on the CPU", state);
  }
  return {};
}

TransformLaneShape transform_lane_shape(const PrcArrays& arrays, bool density, bool survival, bool gradient) {
  TransformLaneShape shape{arrays.component_bounds()};
  shape.density = density;
  shape.survival = survival;
  shape.gradient = gradient;
  shape.num_value_slots = arrays.num_value_slots;
  if (gradient) shape.num_partials = gradient_partials(arrays);
  return shape;
}

}  // namespace sojourn
