#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "device/support/batches.hpp"
#include "sojourn/error.hpp"

static_assert(__cplusplus >= 202002L, "device code needs C++20: pass -std=c++20 to nvcc");

namespace sojourn {

/// @throws OutOfDeviceMemory where memory is short, as a kernel's own may be at its first launch; else DeviceError with
/// CUDA's own words, the call and the place, when `status` is not success.
inline void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  // CUDA remembers it: the next launch would be blamed for it too.
  (void)cudaGetLastError();
  const std::string text = std::string("CUDA: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) +
                           ") from " + call + " at " + file + ":" + std::to_string(line);
  if (status == cudaErrorMemoryAllocation) throw OutOfDeviceMemory(text);
  throw DeviceError(text + "; run on the CPU, or with fewer particles when memory is short");
}

/// What the status of a query says: false where work is still under way.
inline bool is_done(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaErrorNotReady) {
    // No failure, but CUDA remembers it as one.
    (void)cudaGetLastError();
    return false;
  }
  check_cuda(status, call, file, line);
  return true;
}

}  // namespace sojourn

#define SOJOURN_CUDA_TRY(call) ::sojourn::check_cuda((call), #call, __FILE__, __LINE__)
#define SOJOURN_CUDA_DONE(call) ::sojourn::is_done((call), #call, __FILE__, __LINE__)
