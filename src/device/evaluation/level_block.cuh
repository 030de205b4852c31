#pragma once

#include <cstdint>

#include "device/evaluation/moment_plan.hpp"

namespace sojourn {

/// Threads of a block of levels at most.
inline constexpr int kMostLevelThreads = 256;
/// Blocks a processor should hold. Left to itself the compiler spills for more.
inline constexpr int kResidentLevelBlocks = 2;

/// A block of threads (lane, stream) as `MomentLevels` and `TransformLevels` ask for it. Lanes beyond the batch's last
/// wait with the others.
template <class Thread>
struct LevelBlock {
  Thread& own;
  bool active;
  template <class Work>
  __device__ void step(Work&& work) {
    if (active) work(own);
    __syncthreads();
  }
};

/// Where the slots of a block's lanes are: `local` first, then `solution`, [slot][lanes] each.
template <SlotPlacement kPlacement, class Number>
struct LevelSlots {
  Strided<Number> local, solution;

  /// `global` has `global_slots` for each lane of each resident block.
  __device__ LevelSlots(Number* shared, Number* global, std::int64_t num_local, std::int64_t global_slots) {
    const std::int64_t lanes = blockDim.x;
    const Strided<Number> in_shared{shared + threadIdx.x, lanes};
    const Strided<Number> in_global{global + blockIdx.x * lanes * global_slots + threadIdx.x, lanes};
    local = kPlacement == SlotPlacement::kGlobal ? in_global : in_shared;
    solution = kPlacement == SlotPlacement::kShared          ? in_shared.from(num_local)
               : kPlacement == SlotPlacement::kSharedFactors ? in_global
                                                             : in_global.from(num_local);
  }
};

}  // namespace sojourn
