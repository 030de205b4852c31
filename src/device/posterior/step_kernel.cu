#include <algorithm>

#include "device/evaluation/level_block.cuh"
#include "device/posterior/step_kernel.hpp"
#include "device/support/check.cuh"
#include "device/support/occupancy.cuh"

namespace sojourn {
namespace {

/// A block is `kStepLanes` lanes of `kStepStreams` threads and takes lanes in turn.
template <bool kGradient>
__global__ void __launch_bounds__(kStepLanes* kStepStreams, kResidentLevelBlocks)
    step_kernel(const StepRun run, const std::int32_t* guard) {
  if (guard != nullptr && *guard != 0) return;
  const std::int64_t n = run.batch.likelihood.n;
  const Strided<double> slots{run.slots + blockIdx.x * kStepLanes * run.place.total + threadIdx.x, kStepLanes};
  for (std::int64_t first = blockIdx.x * kStepLanes; first < n; first += gridDim.x * kStepLanes) {
    const std::int64_t end = first + kStepLanes < n ? first + kStepLanes : n, lane = first + threadIdx.x;
    const std::int64_t num_steps = run.steps_of(first, end);
    StepThread own = run.thread(lane < end ? lane : end - 1, static_cast<std::int32_t>(threadIdx.y), slots);
    LevelBlock<StepThread> block{own, lane < end};
    if constexpr (kGradient) {
      StepThread::gradient(block, run.place, num_steps);
    } else {
      StepThread::values(block, num_steps);
    }
    __syncthreads();
  }
}

}  // namespace

std::int64_t resident_step_blocks() {
  constexpr int kThreads = static_cast<int>(kStepLanes * kStepStreams);
  return std::min(resident_blocks(step_kernel<false>, kThreads, 0), resident_blocks(step_kernel<true>, kThreads, 0));
}

void launch_steps(const StepRun& run, const std::int32_t* guard, void* stream) {
  const dim3 threads(static_cast<unsigned>(kStepLanes), static_cast<unsigned>(kStepStreams));
  const auto kernel = run.gradient ? step_kernel<true> : step_kernel<false>;
  kernel<<<static_cast<unsigned>(run.num_blocks), threads, 0, static_cast<cudaStream_t>(stream)>>>(run, guard);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

}  // namespace sojourn
