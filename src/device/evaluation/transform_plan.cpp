#include "device/evaluation/transform_plan.hpp"

namespace sojourn {
namespace {

constexpr int kLargestBlock = 128;
constexpr int kWarp = 32;

/// The most lanes, whole warps, whose `slots` fit; 0 where not even one warp's do.
int fitting_lanes(std::int64_t slots, std::size_t bytes) {
  for (int lanes = kLargestBlock; lanes >= kWarp; lanes -= kWarp) {
    if (static_cast<std::size_t>(slots) * static_cast<std::size_t>(lanes) * sizeof(LaneComplex) <= bytes) return lanes;
  }
  return 0;
}

}  // namespace

TransformPlan plan_transforms(const PrcView& prc, const TransformLaneShape& shape, std::size_t most_shared_bytes) {
  const TransformLaneSlots slots = shape.slots(prc);
  TransformPlan plan{SlotPlacement::kGlobal, kLargestBlock, 0, slots.total()};
  if (shape.has_fronts) return plan;
  const auto set = [&](SlotPlacement placement, int lanes, std::int64_t shared, std::int64_t global) {
    plan = {placement, lanes, static_cast<std::size_t>(shared) * static_cast<std::size_t>(lanes) * sizeof(LaneComplex),
            global};
  };
  if (const int lanes = fitting_lanes(slots.total(), most_shared_bytes); lanes > 0) {
    set(SlotPlacement::kShared, lanes, slots.total(), 0);
  } else if (const int with_factors = fitting_lanes(slots.factor, most_shared_bytes); with_factors > 0) {
    set(SlotPlacement::kSharedFactors, with_factors, slots.factor, slots.solution);
  }
  return plan;
}

}  // namespace sojourn
