#include <algorithm>
#include <string>

#include "device/comm/cuda_memory.hpp"
#include "device/cuda_machine.cuh"
#include "device/evaluation/transform_level_kernel.hpp"
#include "device/support/occupancy.cuh"
#include "elimination/prc_arrays.hpp"

namespace sojourn {
namespace {

/// Blocks stride over the lanes where fewer are resident than there are.
template <SlotPlacement kPlacement, bool kFronts>
__global__ void __launch_bounds__(kLanesPerBlock, kFronts ? kResidentBlocksWithFronts : kResidentBlocks)
    transform_kernel(const TransformStep step, LaneComplex* __restrict__ slots, const std::int32_t* guard) {
  if (guard != nullptr && *guard != 0) return;
  extern __shared__ LaneComplex shared_slots[];
  const std::int64_t resident = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t own = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Strided<LaneComplex> in_shared{shared_slots + threadIdx.x, blockDim.x};
  const Strided<LaneComplex> in_global{slots + own, resident};
  const std::int64_t factor = step.shape.slots(step.prc).factor;
  if constexpr (kPlacement == SlotPlacement::kShared) {
    step.run<kFronts>(own, resident, in_shared, in_shared.from(factor));
  } else if constexpr (kPlacement == SlotPlacement::kSharedFactors) {
    step.run<kFronts>(own, resident, in_shared, in_global);
  } else {
    step.run<kFronts>(own, resident, in_global, in_global.from(factor));
  }
}

using TransformKernel = void (*)(TransformStep, LaneComplex*, const std::int32_t*);

/// `plan_transforms` puts programs with fronts into global memory, where their factors would be anyway.
TransformKernel kernel_of(SlotPlacement placement, bool has_fronts) {
  if (has_fronts) return transform_kernel<SlotPlacement::kGlobal, true>;
  switch (placement) {
    case SlotPlacement::kShared:
      return transform_kernel<SlotPlacement::kShared, false>;
    case SlotPlacement::kSharedFactors:
      return transform_kernel<SlotPlacement::kSharedFactors, false>;
    default:
      return transform_kernel<SlotPlacement::kGlobal, false>;
  }
}

}  // namespace

CudaMachine::CudaMachine() {
  int device = 0;
  SOJOURN_CUDA_TRY(cudaGetDevice(&device));
  index_ = device;
}

void CudaMachine::on_stream(void* stream) {
  const cudaStream_t next = stream != nullptr ? static_cast<cudaStream_t>(stream) : stream_.get();
  if (next == current_) return;
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  if (next != stream_.get()) SOJOURN_CUDA_TRY(cudaStreamIsCapturing(next, &capture));
  if (capture != cudaStreamCaptureStatusNone)
    throw DeviceError(
        "the stream is being captured as a CUDA graph, which work that finds memory cannot be part of; "
        "end the capture first");
  SOJOURN_CUDA_TRY(cudaEventRecord(switched_.get(), current_));
  SOJOURN_CUDA_TRY(cudaStreamWaitEvent(next, switched_.get(), 0));
  current_ = next;
}

std::unique_ptr<RankExchange> CudaMachine::connect(Communicator& ranks, const DeviceMessages& messages) {
  return open_rank_exchange(
      ranks, messages, [this] { return make_cuda_memory(index_, stream_.get()); }, [] { return nccl::load(); });
}

void CudaMachine::run_transforms(const TransformStep& step, const BlockSlots& slots) {
  if (step.num_lanes == 0) return;
  const Mapping& mapping = mapping_of(step.shape);
  const std::int64_t blocks = std::min(slots.num_blocks, mapping.num_blocks(step.num_lanes));
  if (mapping.by_levels) {
    launch_transform_levels(program_->levels(mapping.level), step, mapping, blocks, slots.slots, guard_, stream());
    return;
  }
  kernel_of(mapping.placement,
            step.shape.has_fronts)<<<static_cast<unsigned>(blocks), static_cast<unsigned>(mapping.lanes_per_block),
                                     mapping.shared_bytes, stream()>>>(step, slots.slots, guard_);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

TransformBlocks CudaMachine::transform_blocks(const PrcView&, const TransformLaneShape& shape) const {
  const Mapping& mapping = mapping_of(shape);
  const std::int64_t most = mapping.by_levels ? resident_level_blocks(mapping)
                                              : resident_blocks(kernel_of(mapping.placement, shape.has_fronts),
                                                                mapping.lanes_per_block, mapping.shared_bytes);
  return {most, mapping.lanes_per_block * mapping.global_slots};
}

const Mapping& CudaMachine::mapping_of(const TransformLaneShape& shape) const {
  std::string name = "transforms ";
  for (const bool flag : {shape.density, shape.survival, shape.gradient}) name += flag ? '1' : '0';
  const PrcArrays& arrays = program_->arrays();
  // Nodes times particles: there are always many.
  return program_->remember(name,
                            [&] { return map_transforms(arrays, shape, kManyLanes, current_device_size(), choice_); });
}

double CudaMachine::free_bytes() const {
  std::size_t free_bytes = 0, total_bytes = 0;
  SOJOURN_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
  return static_cast<double>(free_bytes);
}

template class LikelihoodBatch<CudaMachine>;
template class StepBatch<CudaMachine>;

}  // namespace sojourn
