#include <algorithm>
#include <string>

#include "common/level_replay.hpp"
#include "device/evaluation/level_block.cuh"
#include "device/evaluation/moment_level_kernel.hpp"
#include "device/support/check.cuh"
#include "device/support/occupancy.cuh"

namespace sojourn {
namespace {

/// A block is `blockDim.x` lanes of `blockDim.y` streams and takes lanes in turn where fewer blocks are resident.
template <class Number, int kOrder, SlotPlacement kPlacement>
__global__ void __launch_bounds__(kMostLevelThreads, kResidentLevelBlocks)
    moment_level_kernel(const PrcView prc, const LevelView levels, const MomentLaneShape shape,
                        std::int64_t num_factor_slots, const double* __restrict__ reward,
                        const double* __restrict__ phi, std::int64_t num_lanes, void* slots, std::int64_t global_slots,
                        const MomentLaneOutput output) {
  extern __shared__ double level_slots[];
  const LevelSlots<kPlacement, Number> places(reinterpret_cast<Number*>(level_slots), static_cast<Number*>(slots),
                                              shape.slots(prc).rate + num_factor_slots, global_slots);
  const std::int64_t lanes = blockDim.x;
  for (std::int64_t first = blockIdx.x * lanes; first < num_lanes; first += gridDim.x * lanes) {
    const std::int64_t lane = first + threadIdx.x;
    using Thread = MomentLevels<kOrder, Strided<Number>, Strided<Number>>;
    Thread own(prc, levels, shape, reward, phi, num_lanes, lane < num_lanes ? lane : num_lanes - 1,
               static_cast<std::int32_t>(threadIdx.y), places.local, places.solution, output);
    Thread::run(LevelBlock<Thread>{own, lane < num_lanes}, levels, shape);
    __syncthreads();
  }
}

using Kernel = void (*)(PrcView, LevelView, MomentLaneShape, std::int64_t, const double*, const double*, std::int64_t,
                        void*, std::int64_t, MomentLaneOutput);

template <class Number, int kOrder>
Kernel kernel_of(SlotPlacement placement) {
  switch (placement) {
    case SlotPlacement::kShared:
      return moment_level_kernel<Number, kOrder, SlotPlacement::kShared>;
    case SlotPlacement::kSharedFactors:
      return moment_level_kernel<Number, kOrder, SlotPlacement::kSharedFactors>;
    default:
      return moment_level_kernel<Number, kOrder, SlotPlacement::kGlobal>;
  }
}

template <class Number>
Kernel kernel_of(int order, SlotPlacement placement) {
  static_assert(kMostLevelOrder == 2);
  if (order < 1 || order > kMostLevelOrder)
    throw DeviceError("moments by levels: order " + std::to_string(order) + " must be in 1.." +
                      std::to_string(kMostLevelOrder) + "; higher ones go by threads");
  return order == 1 ? kernel_of<Number, 1>(placement) : kernel_of<Number, 2>(placement);
}

Kernel kernel_of(const MomentLaneShape& shape, SlotPlacement placement) {
  return shape.single ? kernel_of<WatchedSingle>(shape.order, placement) : kernel_of<double>(shape.order, placement);
}

}  // namespace

std::int64_t resident_level_blocks(const MomentLaneShape& shape, const Mapping& mapping) {
  return resident_blocks(kernel_of(shape, mapping.placement), mapping.lanes_per_block * mapping.num_streams,
                         mapping.shared_bytes);
}

void launch_moment_levels(const DeviceLevels& levels, MomentLaneShape shape, const Mapping& mapping,
                          const double* reward, const double* phi, std::int64_t num_lanes, std::int64_t num_blocks,
                          void* slots, const MomentLaneOutput& output, void* stream) {
  shape.num_value_slots = levels.num_value_slots;
  const dim3 threads(static_cast<unsigned>(mapping.lanes_per_block), static_cast<unsigned>(mapping.num_streams));
  kernel_of(shape, mapping.placement)<<<static_cast<unsigned>(num_blocks), threads, mapping.shared_bytes,
                                        static_cast<cudaStream_t>(stream)>>>(
      levels.program, levels.levels, shape, levels.num_factor_slots, reward, phi, num_lanes, slots,
      mapping.global_slots, output);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

}  // namespace sojourn
