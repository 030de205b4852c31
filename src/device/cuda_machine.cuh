#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "device/evaluation/device_program.hpp"
#include "device/evaluation/mapping.hpp"
#include "device/posterior/likelihood_batch.hpp"
#include "device/posterior/step_kernel.hpp"
#include "device/sampler/cloud_batch.hpp"
#include "device/sampler/svgd_kernel.hpp"
#include "device/support/buffer.cuh"
#include "device/support/check.cuh"

namespace sojourn {

inline constexpr int kLanesPerBlock = 128;
/// Blocks a processor should hold, which leaves a thread 128 registers. Left to itself the compiler spills a few for
/// more blocks than other limits allow.
inline constexpr int kResidentBlocks = 4;
/// Where the rows of a front stand takes more.
inline constexpr int kResidentBlocksWithFronts = 3;
template <class Step>
inline constexpr int kResidentBlocksOf = kResidentBlocks;
template <>
inline constexpr int kResidentBlocksOf<PrepareStep<true>> = kResidentBlocksWithFronts;

/// One thread is one lane. A guard that is not 0 keeps everything as it is.
template <class Step>
__global__ void __launch_bounds__(kLanesPerBlock, kResidentBlocksOf<Step>)
    lane_kernel(const Step step, std::int64_t num_lanes, const std::int32_t* guard) {
  if (guard != nullptr && *guard != 0) return;
  const std::int64_t lane = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (lane < num_lanes) step(lane);
}

/// One sequence of kernels, made into a CUDA graph at its second time; see `CudaMachine::repeat`.
class CudaRecording {
 public:
  CudaRecording() = default;
  ~CudaRecording() { clear(); }
  CudaRecording(const CudaRecording&) = delete;
  CudaRecording& operator=(const CudaRecording&) = delete;

 private:
  friend class CudaMachine;
  void clear() {
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    graph_ = nullptr;
  }
  cudaGraphExec_t graph_ = nullptr;
  std::int64_t generation_ = -1;
};

/// What batches ask of a machine, on the device that is current when it is made.
class CudaMachine {
 public:
  template <class T>
  using Buffer = DeviceBuffer<T>;
  template <class T>
  using HostBuffer = PinnedBuffer<T>;
  using Recording = CudaRecording;

  CudaMachine();

  /// The host's memory is the caller's again: where a device reaches it by itself, nothing else says when it is read.
  template <class T>
  void upload(T* there, std::span<const T> here) {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(there, here.data(), here.size_bytes(), cudaMemcpyHostToDevice, stream()));
    wait();
  }
  template <class T>
  void download(const T* there, std::span<T> here) {
    fetch(there, here);
    wait();
  }
  template <class T>
  void fetch(const T* there, std::span<T> here) {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(here.data(), there, here.size_bytes(), cudaMemcpyDeviceToHost, stream()));
  }
  void wait() const { SOJOURN_CUDA_TRY(cudaStreamSynchronize(stream())); }
  template <class T>
  void copy(T* to, const T* from, std::size_t size) {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(to, from, size * sizeof(T), cudaMemcpyDeviceToDevice, stream()));
  }
  /// By a stream of its own, which waits for what stands on this machine's now.
  template <class T>
  void fetch_aside(const T* there, std::span<T> here) {
    SOJOURN_CUDA_TRY(cudaEventRecord(set_aside_.get(), stream()));
    SOJOURN_CUDA_TRY(cudaStreamWaitEvent(aside_.get(), set_aside_.get(), 0));
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(here.data(), there, here.size_bytes(), cudaMemcpyDeviceToHost, aside_.get()));
  }
  void wait_aside() const { aside_.synchronize(); }
  template <class Step>
  void run(std::int64_t num_lanes, const Step& step) {
    if (num_lanes == 0) return;
    const std::int64_t blocks = (num_lanes + kLanesPerBlock - 1) / kLanesPerBlock;
    lane_kernel<<<static_cast<unsigned>(blocks), kLanesPerBlock, 0, stream()>>>(step, num_lanes, guard_);
    SOJOURN_CUDA_TRY(cudaGetLastError());
  }
  /// Transforms are of this program from now on, which outlives this.
  void replay(const DeviceProgram& program, MappingChoice choice) {
    program_ = &program;
    choice_ = choice;
  }
  void run_transforms(const TransformStep& step, const BlockSlots& slots);
  [[nodiscard]] static std::int64_t step_lanes() { return kStepLanes; }
  [[nodiscard]] static std::int64_t most_step_blocks() { return resident_step_blocks(); }
  void run_steps(const StepRun& run) { launch_steps(run, guard_, stream()); }
  void run_direction(const DirectionLaunch& launch) { launch_svgd_direction(launch, guard_, stream()); }

  /// Kernels do nothing from now on where the number at `guard` is not 0; null: they always do.
  void guard(const std::int32_t* guard) { guard_ = guard; }
  /// Graphs hold pointers: they are made again after this.
  void moved() { ++generation_; }
  /// Runs what `enqueue` enqueues. The first time it is enqueued as it is, so that memory is found and kernels are
  /// loaded; the second time it is captured as a graph, which is launched from then on.
  template <class Enqueue>
  void repeat(CudaRecording& recording, Enqueue&& enqueue) {
    if (recording.generation_ != generation_) {
      recording.clear();
      enqueue();
      recording.generation_ = generation_;
      return;
    }
    if (recording.graph_ == nullptr) {
      cudaGraph_t graph = nullptr;
      SOJOURN_CUDA_TRY(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
      try {
        enqueue();
      } catch (...) {
        cudaStreamEndCapture(stream(), &graph);
        if (graph != nullptr) cudaGraphDestroy(graph);
        throw;
      }
      SOJOURN_CUDA_TRY(cudaStreamEndCapture(stream(), &graph));
      const cudaError_t status = cudaGraphInstantiate(&recording.graph_, graph, 0);
      cudaGraphDestroy(graph);
      SOJOURN_CUDA_TRY(status);
    }
    SOJOURN_CUDA_TRY(cudaGraphLaunch(recording.graph_, stream()));
  }
  /// By NCCL or the host, behind what stands on this machine's own stream.
  [[nodiscard]] std::unique_ptr<RankExchange> connect(Communicator& ranks, const DeviceMessages& messages);
  [[nodiscard]] TransformBlocks transform_blocks(const PrcView& prc, const TransformLaneShape& shape) const;
  [[nodiscard]] static DeviceBuffer<LaneComplex> slots(std::size_t size) { return DeviceBuffer<LaneComplex>(size); }
  [[nodiscard]] double free_bytes() const;
  [[nodiscard]] cudaStream_t stream() const { return current_; }
  [[nodiscard]] std::int32_t index() const { return index_; }
  /// Work goes to `stream` from now on, behind what was enqueued before on another; null: to this machine's own.
  void on_stream(void* stream);
  /// Kernels of a caller who names no stream.
  [[nodiscard]] static void* default_stream() { return cudaStreamLegacy; }

 private:
  [[nodiscard]] const Mapping& mapping_of(const TransformLaneShape& shape) const;

  DeviceStream stream_, aside_;
  cudaStream_t current_ = stream_.get();
  DeviceEvent switched_, set_aside_;
  std::int32_t index_ = 0;
  const DeviceProgram* program_ = nullptr;
  MappingChoice choice_ = MappingChoice::kAuto;
  const std::int32_t* guard_ = nullptr;
  std::int64_t generation_ = 0;
};

// Compiled in cuda_machine.cu, with its kernels.
extern template class LikelihoodBatch<CudaMachine>;
extern template class StepBatch<CudaMachine>;

}  // namespace sojourn
