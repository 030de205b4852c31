#pragma once

#include <cstddef>
#include <cstdint>

#include "common/transform_lane.hpp"
#include "device/evaluation/moment_plan.hpp"

namespace sojourn {

/// How transforms run on a device: one thread is one lane, and each takes further lanes of the batch in turn.
struct TransformPlan {
  SlotPlacement placement = SlotPlacement::kGlobal;
  int lanes_per_block = 0;
  std::size_t shared_bytes = 0;   ///< of a block
  std::int64_t global_slots = 0;  ///< complex numbers of a resident lane in global memory
};

/// Factors are read most often and go to shared memory first, solutions beside them where all fit, be it for one warp:
/// a complex lane has two chains of multiply-adds and more loads in flight than a real one.
/// @param most_shared_bytes  what a block may ask for (227 KiB on compute capability 9.0).
TransformPlan plan_transforms(const PrcView& prc, const TransformLaneShape& shape, std::size_t most_shared_bytes);

}  // namespace sojourn
