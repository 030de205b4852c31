#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "device/evaluation/mapping.hpp"
#include "device/support/check.cuh"

namespace sojourn {

inline DeviceSize current_device_size() {
  int device = 0, block = 0, processor = 0, cache = 0;
  DeviceSize size;
  SOJOURN_CUDA_TRY(cudaGetDevice(&device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&processor, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&size.num_processors, cudaDevAttrMultiProcessorCount, device));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device));
  size.cache_bytes = static_cast<std::size_t>(cache);
  size.block_shared_bytes = static_cast<std::size_t>(block);
  size.processor_shared_bytes = static_cast<std::size_t>(processor);
  return size;
}

/// Blocks of a kernel that the current device holds at once. The kernel has leave to use all shared memory that a block
/// may ask for, whatever it is launched with. @throws DeviceError where not even one fits.
template <class Kernel>
std::int64_t resident_blocks(Kernel kernel, int threads, std::size_t shared_bytes) {
  const DeviceSize size = current_device_size();
  SOJOURN_CUDA_TRY(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(size.block_shared_bytes)));
  int blocks = 0;
  SOJOURN_CUDA_TRY(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, shared_bytes));
  if (blocks < 1) throw DeviceError("replay on the device: a block does not fit; use --device cpu");
  return static_cast<std::int64_t>(blocks) * size.num_processors;
}

}  // namespace sojourn
