#pragma once

#include <cstddef>
#include <cstdint>

#include "common/moment_lane.hpp"

namespace sojourn {

/// Where a lane's slots live. Rates and factors are read most often; the solutions follow into shared memory where all
/// of them fit.
enum class SlotPlacement : std::uint8_t {
  kShared,         ///< everything in shared memory
  kSharedFactors,  ///< solutions in global memory, which the L2 holds
  kGlobal,         ///< everything in global memory
};
const char* to_string(SlotPlacement placement);

/// How moments run by threads.
struct MomentPlan {
  SlotPlacement placement = SlotPlacement::kGlobal;
  int lanes_per_block = 0;
  std::size_t shared_bytes = 0;   ///< of a block
  std::int64_t global_slots = 0;  ///< of a resident lane in global memory
};

/// @param most_shared_bytes  what a block may ask for (227 KiB on compute capability 9.0).
MomentPlan plan_moments(const PrcView& prc, const MomentLaneShape& shape, std::size_t most_shared_bytes);

/// Bytes of parameters and results of one lane of a batch.
std::int64_t moment_lane_bytes(const PrcView& prc, const MomentLaneShape& shape);

/// What lanes of a batch take.
struct BatchSizes {
  int lanes_per_block;
  std::int64_t global_slots;  ///< of a resident lane
  std::int64_t lane_bytes;    ///< of each lane beside
  std::int64_t slot_bytes = sizeof(double);
};

/// Lanes to run at once: all of them where their parameters, results and the slots of `resident_lanes` fit into
/// `free_bytes`, else as many whole blocks as do. 0 where not even one block fits.
std::int64_t batch_lanes(const BatchSizes& sizes, std::int64_t num_lanes, std::int64_t resident_lanes,
                         std::size_t free_bytes);

}  // namespace sojourn
