#include "evaluation/transform_lane_shape.hpp"

#include <algorithm>

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
  TransformLaneShape shape;
  shape.density = density;
  shape.survival = survival;
  shape.gradient = gradient;
  shape.num_value_slots = arrays.num_value_slots;
  for (const PrcComponent& component : arrays.components) {
    shape.most_entries = std::max(shape.most_entries, component.entry_end - component.entry_begin);
    shape.most_rows = std::max(shape.most_rows, component.row_end - component.row_begin);
    shape.has_fronts |= component.front_begin != component.front_end;
  }
  return shape;
}

std::vector<double> reward_by_row(const PrcArrays& arrays, std::span<const double> reward) {
  std::vector<double> by_row;
  by_row.reserve(arrays.state_of_row.size());
  for (const std::int32_t state : arrays.state_of_row) by_row.push_back(reward[state]);
  return by_row;
}

}  // namespace sojourn
