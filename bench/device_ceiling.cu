#include <algorithm>

#include "device/support/buffer.cuh"
#include "device/support/check.cuh"
#include "device_ceiling.hpp"

namespace sojourn::bench {
namespace {

constexpr int kLanes = 128;
constexpr int kNumSlots = 220;
constexpr int kSweeps = 2000;

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

}  // namespace

double shared_dot_multiply_adds_per_second() {
  constexpr int kBytes = kNumSlots * kLanes * static_cast<int>(sizeof(double));
  SOJOURN_CUDA_TRY(cudaFuncSetAttribute(dot_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  int device = 0, processors = 0;
  SOJOURN_CUDA_TRY(cudaGetDevice(&device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  DeviceBuffer<double> result(static_cast<std::size_t>(processors) * kLanes);
  cudaEvent_t begin, end;
  SOJOURN_CUDA_TRY(cudaEventCreate(&begin));
  SOJOURN_CUDA_TRY(cudaEventCreate(&end));
  double best = 0;
  for (int repetition = 0; repetition < 5; ++repetition) {
    SOJOURN_CUDA_TRY(cudaEventRecord(begin));
    dot_kernel<<<processors, kLanes, kBytes>>>(1e-9, result.data());
    SOJOURN_CUDA_TRY(cudaGetLastError());
    SOJOURN_CUDA_TRY(cudaEventRecord(end));
    SOJOURN_CUDA_TRY(cudaEventSynchronize(end));
    float milliseconds = 0;
    SOJOURN_CUDA_TRY(cudaEventElapsedTime(&milliseconds, begin, end));
    best = std::max(best, 1e3 * processors * kLanes * static_cast<double>(kNumSlots) * kSweeps / milliseconds);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return best;
}

}  // namespace sojourn::bench
