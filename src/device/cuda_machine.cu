#include <algorithm>

#include "device/cuda_machine.cuh"

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
  int device = 0, bytes = 0;
  SOJOURN_CUDA_TRY(cudaGetDevice(&device));
  index_ = device;
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  most_shared_bytes_ = static_cast<std::size_t>(bytes);
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&num_processors_, cudaDevAttrMultiProcessorCount, device));
}

void CudaMachine::on_stream(void* stream) {
  const cudaStream_t next = stream != nullptr ? static_cast<cudaStream_t>(stream) : stream_.get();
  if (next == current_) return;
  SOJOURN_CUDA_TRY(cudaEventRecord(switched_.get(), current_));
  SOJOURN_CUDA_TRY(cudaStreamWaitEvent(next, switched_.get(), 0));
  current_ = next;
}

void CudaMachine::run_transforms(const TransformStep& step) {
  if (step.num_lanes == 0) return;
  const TransformPlan plan = plan_transforms(step.prc, step.shape, most_shared_bytes_);
  const TransformKernel kernel = kernel_of(plan.placement, step.shape.has_fronts);
  const std::int64_t most_blocks = resident_blocks(plan, step.shape);
  const auto slots = static_cast<std::size_t>(most_blocks * plan.lanes_per_block * plan.global_slots);
  if (slots > slots_.size()) {
    moved();
    slots_ = {};
    slots_ = DeviceBuffer<LaneComplex>(slots);
  }
  const std::int64_t blocks = std::min(most_blocks, (step.num_lanes + plan.lanes_per_block - 1) / plan.lanes_per_block);
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(plan.lanes_per_block), plan.shared_bytes, stream()>>>(
      step, slots_.data(), guard_);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

double CudaMachine::slot_bytes(const PrcView& prc, const TransformLaneShape& shape) const {
  const TransformPlan plan = plan_transforms(prc, shape, most_shared_bytes_);
  const double wanted = static_cast<double>(resident_blocks(plan, shape) * plan.lanes_per_block * plan.global_slots);
  return std::max(0.0, wanted - static_cast<double>(slots_.size())) * sizeof(LaneComplex);
}

double CudaMachine::free_bytes() const {
  std::size_t free_bytes = 0, total_bytes = 0;
  SOJOURN_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
  return static_cast<double>(free_bytes);
}

std::int64_t CudaMachine::resident_blocks(const TransformPlan& plan, const TransformLaneShape& shape) const {
  const TransformKernel kernel = kernel_of(plan.placement, shape.has_fronts);
  if (plan.shared_bytes > 48 * 1024)
    SOJOURN_CUDA_TRY(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                          cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(plan.shared_bytes)));
  int blocks = 0;
  SOJOURN_CUDA_TRY(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, plan.lanes_per_block, plan.shared_bytes));
  if (blocks < 1) throw DeviceError("transforms on the device: a block does not fit; use --device cpu");
  return static_cast<std::int64_t>(blocks) * num_processors_;
}

template class LikelihoodBatch<CudaMachine>;

}  // namespace sojourn
