#include "common/level_replay.hpp"
#include "device/evaluation/level_block.cuh"
#include "device/evaluation/transform_level_kernel.hpp"
#include "device/support/check.cuh"
#include "device/support/occupancy.cuh"

namespace sojourn {
namespace {

/// A block is `blockDim.x` lanes of `blockDim.y` streams and takes lanes in turn where fewer blocks are resident.
template <SlotPlacement kPlacement>
__global__ void __launch_bounds__(kMostLevelThreads, kResidentLevelBlocks)
    transform_level_kernel(const TransformStep step, const LevelView levels, std::int64_t num_factor_slots,
                           LaneComplex* slots, std::int64_t global_slots, const std::int32_t* guard) {
  if (guard != nullptr && *guard != 0) return;
  extern __shared__ LaneComplex level_transforms[];
  const LevelSlots<kPlacement, LaneComplex> places(level_transforms, slots, num_factor_slots, global_slots);
  const std::int64_t lanes = blockDim.x;
  for (std::int64_t first = blockIdx.x * lanes; first < step.num_lanes; first += gridDim.x * lanes) {
    const std::int64_t lane = first + threadIdx.x;
    using Thread = TransformLevels<Strided<LaneComplex>, Strided<LaneComplex>>;
    Thread own(step.prc, levels, step.shape, step.reward, step.rates, step.nodes, step.num_particles, step.num_lanes,
               lane < step.num_lanes ? lane : step.num_lanes - 1, static_cast<std::int32_t>(threadIdx.y), places.local,
               places.solution, step.output);
    Thread::run(LevelBlock<Thread>{own, lane < step.num_lanes}, levels, step.shape);
    __syncthreads();
  }
}

using Kernel = void (*)(TransformStep, LevelView, std::int64_t, LaneComplex*, std::int64_t, const std::int32_t*);

Kernel kernel_of(SlotPlacement placement) {
  switch (placement) {
    case SlotPlacement::kShared:
      return transform_level_kernel<SlotPlacement::kShared>;
    case SlotPlacement::kSharedFactors:
      return transform_level_kernel<SlotPlacement::kSharedFactors>;
    default:
      return transform_level_kernel<SlotPlacement::kGlobal>;
  }
}

}  // namespace

std::int64_t resident_level_blocks(const Mapping& mapping) {
  return resident_blocks(kernel_of(mapping.placement), mapping.lanes_per_block * mapping.num_streams,
                         mapping.shared_bytes);
}

void launch_transform_levels(const DeviceLevels& levels, TransformStep step, const Mapping& mapping,
                             std::int64_t num_blocks, LaneComplex* slots, const std::int32_t* guard, void* stream) {
  step.prc = levels.program;
  step.shape.num_value_slots = levels.num_value_slots;
  const dim3 threads(static_cast<unsigned>(mapping.lanes_per_block), static_cast<unsigned>(mapping.num_streams));
  kernel_of(mapping.placement)<<<static_cast<unsigned>(num_blocks), threads, mapping.shared_bytes,
                                 static_cast<cudaStream_t>(stream)>>>(step, levels.levels, levels.num_factor_slots,
                                                                      slots, mapping.global_slots, guard);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

}  // namespace sojourn
