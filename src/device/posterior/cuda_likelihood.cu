#include <algorithm>
#include <string>
#include <utility>

#include "device/evaluation/device_program.hpp"
#include "device/evaluation/transform_plan.hpp"
#include "device/posterior/cuda_likelihood.hpp"
#include "device/posterior/likelihood_batch.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/buffer.cuh"
#include "device/support/check.cuh"
#include "device/support/device_list.hpp"
#include "posterior/likelihood_tables.hpp"

namespace sojourn {
namespace {

constexpr int kLanesPerBlock = 128;
/// Blocks a processor should hold, which leaves a thread 128 registers. Left to itself the compiler spills a few for
/// more blocks than other limits allow.
constexpr int kResidentBlocks = 4;
/// Where the rows of a front stand takes more.
constexpr int kResidentBlocksWithFronts = 3;
template <class Step>
constexpr int kResidentBlocksOf = kResidentBlocks;
template <>
constexpr int kResidentBlocksOf<PrepareStep<true>> = kResidentBlocksWithFronts;

/// One thread is one lane.
template <class Step>
__global__ void __launch_bounds__(kLanesPerBlock, kResidentBlocksOf<Step>)
    lane_kernel(const Step step, std::int64_t num_lanes) {
  const std::int64_t lane = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (lane < num_lanes) step(lane);
}

/// Blocks stride over the lanes where fewer are resident than there are.
template <SlotPlacement kPlacement, bool kFronts>
__global__ void __launch_bounds__(kLanesPerBlock, kFronts ? kResidentBlocksWithFronts : kResidentBlocks)
    transform_kernel(const TransformStep step, LaneComplex* __restrict__ slots) {
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

using TransformKernel = void (*)(TransformStep, LaneComplex*);

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

/// What `LikelihoodBatch` asks of a machine, on the device that is current when it is made.
class CudaMachine {
 public:
  template <class T>
  using Buffer = DeviceBuffer<T>;

  CudaMachine() {
    int device = 0, bytes = 0;
    SOJOURN_CUDA_TRY(cudaGetDevice(&device));
    SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    most_shared_bytes_ = static_cast<std::size_t>(bytes);
    SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&num_processors_, cudaDevAttrMultiProcessorCount, device));
  }

  template <class T>
  void upload(T* there, std::span<const T> here) {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(there, here.data(), here.size_bytes(), cudaMemcpyHostToDevice, stream_.get()));
  }
  template <class T>
  void download(const T* there, std::span<T> here) {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(here.data(), there, here.size_bytes(), cudaMemcpyDeviceToHost, stream_.get()));
    stream_.synchronize();
  }
  template <class Step>
  void run(std::int64_t num_lanes, const Step& step) {
    if (num_lanes == 0) return;
    const std::int64_t blocks = (num_lanes + kLanesPerBlock - 1) / kLanesPerBlock;
    lane_kernel<<<static_cast<unsigned>(blocks), kLanesPerBlock, 0, stream_.get()>>>(step, num_lanes);
    SOJOURN_CUDA_TRY(cudaGetLastError());
  }
  void run_transforms(const TransformStep& step) {
    if (step.num_lanes == 0) return;
    const TransformPlan plan = plan_transforms(step.prc, step.shape, most_shared_bytes_);
    const TransformKernel kernel = kernel_of(plan.placement, step.shape.has_fronts);
    const std::int64_t most_blocks = resident_blocks(plan, step.shape);
    const auto slots = static_cast<std::size_t>(most_blocks * plan.lanes_per_block * plan.global_slots);
    if (slots > slots_.size()) {
      slots_ = {};
      slots_ = DeviceBuffer<LaneComplex>(slots);
    }
    const std::int64_t blocks =
        std::min(most_blocks, (step.num_lanes + plan.lanes_per_block - 1) / plan.lanes_per_block);
    kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(plan.lanes_per_block), plan.shared_bytes,
             stream_.get()>>>(step, slots_.data());
    SOJOURN_CUDA_TRY(cudaGetLastError());
  }
  /// Of slots that are still to be allocated.
  [[nodiscard]] double slot_bytes(const PrcView& prc, const TransformLaneShape& shape) const {
    const TransformPlan plan = plan_transforms(prc, shape, most_shared_bytes_);
    const double wanted = static_cast<double>(resident_blocks(plan, shape) * plan.lanes_per_block * plan.global_slots);
    return std::max(0.0, wanted - static_cast<double>(slots_.size())) * sizeof(LaneComplex);
  }
  [[nodiscard]] double free_bytes() const {
    std::size_t free_bytes = 0, total_bytes = 0;
    SOJOURN_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
    return static_cast<double>(free_bytes);
  }
  [[nodiscard]] cudaStream_t stream() const { return stream_.get(); }

 private:
  /// Blocks in work at once on the whole device.
  [[nodiscard]] std::int64_t resident_blocks(const TransformPlan& plan, const TransformLaneShape& shape) const {
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

  DeviceStream stream_;
  std::size_t most_shared_bytes_ = 0;
  int num_processors_ = 0;
  DeviceBuffer<LaneComplex> slots_;
};

class CudaLevel final : public DeviceLevel {
 public:
  CudaLevel(int device, const PrcArrays& arrays, const LikelihoodTables& tables, LikelihoodDevice::Report report)
      : device_(device), program_(arrays), report_(std::move(report)) {
    LikelihoodView view = tables.view();
    ArrayLayout layout;
    tables.each_array(view, [&](auto& pointer, const auto& array) { layout.place(pointer, array); });
    tables_ = DeviceBuffer<unsigned char>(layout.bytes().size());
    tables_.upload(layout.bytes(), machine_.stream());
    SOJOURN_CUDA_TRY(cudaStreamSynchronize(machine_.stream()));
    layout.point_into(tables_.data());
    batch_ = std::make_unique<LikelihoodBatch<CudaMachine>>(machine_, program_.view(), view, tables.shape);
  }

  void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
    // Current devices belong to threads, and the caller's may be another.
    SOJOURN_CUDA_TRY(cudaSetDevice(device_));
    batch_->evaluate(phi, gradient, values, report_);
  }

 private:
  int device_;
  DeviceProgram program_;
  LikelihoodDevice::Report report_;
  CudaMachine machine_;
  DeviceBuffer<unsigned char> tables_;
  std::unique_ptr<LikelihoodBatch<CudaMachine>> batch_;
};

class CudaDevice final : public LikelihoodDevice {
 public:
  CudaDevice(int index, Report report) : index_(index), report_(std::move(report)) {
    const std::vector<std::string> devices = list_cuda_devices();
    if (index < 0 || static_cast<std::size_t>(index) >= devices.size())
      throw DeviceError("cuda:" + std::to_string(index) + ": there are " + std::to_string(devices.size()) +
                        " CUDA devices here; use --device cpu, or a number below that");
    name_ = devices[static_cast<std::size_t>(index)];
    SOJOURN_CUDA_TRY(cudaSetDevice(index));
    // Wakes the device, so that one that cannot be used is found out here.
    SOJOURN_CUDA_TRY(cudaFree(nullptr));
  }

  [[nodiscard]] std::string name() const override { return name_; }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    SOJOURN_CUDA_TRY(cudaSetDevice(index_));
    return std::make_unique<CudaLevel>(index_, arrays, tables, report_);
  }

 private:
  int index_;
  Report report_;
  std::string name_;
};

}  // namespace

std::shared_ptr<LikelihoodDevice> open_cuda_device(int index, LikelihoodDevice::Report report) {
  return std::make_shared<CudaDevice>(index, std::move(report));
}

}  // namespace sojourn
