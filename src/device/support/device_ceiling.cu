#include <algorithm>

#include "device/support/buffer.cuh"
#include "device/support/check.cuh"
#include "device/support/device_ceiling.hpp"

namespace sojourn {
namespace {

constexpr int kLanes = 128;
constexpr int kSweeps = 2000;

template <int kNumSlots>
__global__ void __launch_bounds__(kLanes) dot_kernel(double coefficient, double* result) {
  extern __shared__ double slots[];
  for (int s = 0; s < kNumSlots; ++s) slots[s * kLanes + threadIdx.x] = 1e-3 * (s + 1);
  constexpr int kAccumulators = 4;
  double sum[kAccumulators] = {};
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
#pragma unroll
    for (int s = 0; s < kNumSlots; ++s) sum[s % kAccumulators] += coefficient * slots[s * kLanes + threadIdx.x];
    // A store keeps the loads of the next sweep from being those of this one.
    slots[(sweep % kNumSlots) * kLanes + threadIdx.x] = sum[0];
  }
  double all = 0;
  for (double part : sum) all += part;
  result[blockIdx.x * kLanes + threadIdx.x] = all;
}

/// Eight chains of multiply-adds on registers.
__global__ void __launch_bounds__(256) register_kernel(double factor, double* result) {
  constexpr int kChains = 8;
  double sum[kChains];
  for (int c = 0; c < kChains; ++c) sum[c] = threadIdx.x + c;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
#pragma unroll
    for (int c = 0; c < kChains; ++c) sum[c] = sum[c] * factor + 1e-9;
  }
  double all = 0;
  for (double part : sum) all += part;
  result[static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x] = all;
}

class Timer {
 public:
  Timer() {
    SOJOURN_CUDA_TRY(cudaEventCreate(&begin_));
    SOJOURN_CUDA_TRY(cudaEventCreate(&end_));
  }
  ~Timer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Largest `work` a second of several runs.
  template <class Run>
  double best_rate(double work, Run&& run) {
    double best = 0;
    for (int repetition = 0; repetition < 5; ++repetition) {
      SOJOURN_CUDA_TRY(cudaEventRecord(begin_));
      run();
      SOJOURN_CUDA_TRY(cudaGetLastError());
      SOJOURN_CUDA_TRY(cudaEventRecord(end_));
      SOJOURN_CUDA_TRY(cudaEventSynchronize(end_));
      float milliseconds = 0;
      SOJOURN_CUDA_TRY(cudaEventElapsedTime(&milliseconds, begin_, end_));
      best = std::max(best, 1e3 * work / milliseconds);
    }
    return best;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// Multiply-adds a second of dot products over so many slots a thread; 0 where a block has no room for them.
template <int kNumSlots>
double shared_dot_rate(Timer& timer, int processors, int most_bytes, double* result) {
  constexpr int kBytes = kNumSlots * kLanes * static_cast<int>(sizeof(double));
  if (kBytes > most_bytes) return 0;
  SOJOURN_CUDA_TRY(cudaFuncSetAttribute(dot_kernel<kNumSlots>, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  return timer.best_rate(static_cast<double>(processors) * kLanes * kNumSlots * kSweeps,
                         [&] { dot_kernel<kNumSlots><<<processors, kLanes, kBytes>>>(1e-9, result); });
}

}  // namespace

DeviceLimits measure_device_limits() {
  constexpr int kBlocksEach = 8, kThreads = 256, kChains = 8;
  int device = 0, processors = 0, cache_bytes = 0, block_bytes = 0;
  SOJOURN_CUDA_TRY(cudaGetDevice(&device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&block_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&cache_bytes, cudaDevAttrL2CacheSize, device));
  const int blocks = processors * kBlocksEach;
  DeviceBuffer<double> result(static_cast<std::size_t>(blocks) * kThreads);
  Timer timer;
  DeviceLimits limits;
  // As many slots as a block of each architecture has.
  limits.shared_dot = shared_dot_rate<220>(timer, processors, block_bytes, result.data());
  if (limits.shared_dot == 0) limits.shared_dot = shared_dot_rate<160>(timer, processors, block_bytes, result.data());
  if (limits.shared_dot == 0) limits.shared_dot = shared_dot_rate<48>(timer, processors, block_bytes, result.data());
  limits.multiply_adds = timer.best_rate(static_cast<double>(blocks) * kThreads * kChains * kSweeps,
                                         [&] { register_kernel<<<blocks, kThreads>>>(0.999, result.data()); });
  // Copies that the second cache holds, and copies that it does not.
  const auto copied = [&](std::size_t bytes) {
    DeviceBuffer<char> from(bytes), to(bytes);
    SOJOURN_CUDA_TRY(cudaMemset(from.data(), 0, bytes));
    constexpr int kCopies = 20;
    return timer.best_rate(2.0 * kCopies * static_cast<double>(bytes), [&] {
      for (int copy = 0; copy < kCopies; ++copy)
        SOJOURN_CUDA_TRY(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice));
    });
  };
  const auto cache = static_cast<std::size_t>(cache_bytes);
  limits.cache_bytes = copied(std::max<std::size_t>(cache / 8, std::size_t{1} << 20));
  limits.memory_bytes = copied(std::max<std::size_t>(16 * cache, std::size_t{1} << 28));
  return limits;
}

}  // namespace sojourn
