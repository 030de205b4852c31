#include "device/evaluation/transform_plan.hpp"

#include "device/support/blocks.hpp"

namespace sojourn {
namespace {

constexpr std::int64_t kSlotBytes = sizeof(LaneComplex);

}  // namespace

TransformPlan plan_transforms(const PrcView& prc, const TransformLaneShape& shape, std::size_t most_shared_bytes) {
  const TransformLaneSlots slots = shape.slots(prc);
  TransformPlan plan{SlotPlacement::kGlobal, kLargestBlock, 0, slots.total()};
  if (shape.has_fronts) return plan;
  const auto set = [&](SlotPlacement placement, int lanes, std::int64_t shared, std::int64_t global) {
    plan = {placement, lanes, static_cast<std::size_t>(shared * lanes * kSlotBytes), global};
  };
  if (const int lanes = fitting_lanes(slots.total() * kSlotBytes, most_shared_bytes); lanes > 0) {
    set(SlotPlacement::kShared, lanes, slots.total(), 0);
  } else if (const int with_factors = fitting_lanes(slots.factor * kSlotBytes, most_shared_bytes); with_factors > 0) {
    set(SlotPlacement::kSharedFactors, with_factors, slots.factor, slots.solution);
  }
  return plan;
}

}  // namespace sojourn
