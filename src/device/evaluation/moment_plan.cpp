#include "device/evaluation/moment_plan.hpp"

#include <algorithm>

#include "device/support/batches.hpp"
#include "device/support/blocks.hpp"

namespace sojourn {
namespace {

/// With everything in shared memory a block of one warp would leave its processor idle most of the time.
constexpr int kSmallestSharedBlock = 64;

}  // namespace

const char* to_string(SlotPlacement placement) {
  switch (placement) {
    case SlotPlacement::kShared:
      return "shared";
    case SlotPlacement::kSharedFactors:
      return "shared factors";
    case SlotPlacement::kGlobal:
      return "global";
  }
  return "unknown";
}

MomentPlan plan_moments(const PrcView& prc, const MomentLaneShape& shape, std::size_t most_shared_bytes) {
  const MomentLaneSlots slots = shape.slots(prc);
  const std::int64_t local = slots.rate + slots.factor, slot_bytes = shape.slot_bytes();
  MomentPlan plan;
  const auto set = [&](SlotPlacement placement, int lanes, std::int64_t shared, std::int64_t global) {
    plan.placement = placement;
    plan.lanes_per_block = lanes;
    plan.shared_bytes = static_cast<std::size_t>(shared * lanes * slot_bytes);
    plan.global_slots = global;
  };
  if (shape.has_fronts) {
    set(SlotPlacement::kGlobal, kLargestBlock, 0, slots.total());
  } else if (const int lanes = fitting_lanes(slots.total() * slot_bytes, most_shared_bytes);
             lanes >= kSmallestSharedBlock) {
    set(SlotPlacement::kShared, lanes, slots.total(), 0);
  } else if (const int with_factors = fitting_lanes(local * slot_bytes, most_shared_bytes); with_factors > 0) {
    set(SlotPlacement::kSharedFactors, with_factors, local, slots.solution);
  } else {
    set(SlotPlacement::kGlobal, kLargestBlock, 0, slots.total());
  }
  return plan;
}

std::int64_t moment_lane_bytes(const PrcView& prc, const MomentLaneShape& shape) {
  return static_cast<std::int64_t>(sizeof(double)) *
             (prc.num_rates + shape.order * (1 + (shape.gradient ? prc.num_rates : 0))) +
         (shape.gradient ? 1 : 0);
}

std::int64_t batch_lanes(const BatchSizes& sizes, std::int64_t num_lanes, std::int64_t resident_lanes,
                         std::size_t free_bytes) {
  const double usable = kUsableMemory * static_cast<double>(free_bytes);
  const auto num_blocks = [&](std::int64_t lanes) {
    return (lanes + sizes.lanes_per_block - 1) / sizes.lanes_per_block;
  };
  const auto bytes_of = [&](std::int64_t lanes) {
    const std::int64_t in_flight = std::min(resident_lanes, num_blocks(lanes) * sizes.lanes_per_block);
    return static_cast<double>(lanes) * static_cast<double>(sizes.lane_bytes) +
           static_cast<double>(in_flight * sizes.global_slots * sizes.slot_bytes);
  };
  if (bytes_of(num_lanes) <= usable) return num_lanes;
  std::int64_t low = 0, high = num_blocks(num_lanes);  // blocks that fit, blocks that do not
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    (bytes_of(middle * sizes.lanes_per_block) <= usable ? low : high) = middle;
  }
  return low * sizes.lanes_per_block;
}

}  // namespace sojourn
