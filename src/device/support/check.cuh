#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "sojourn/error.hpp"

static_assert(__cplusplus >= 202002L, "device code needs C++20: pass -std=c++20 to nvcc");

namespace sojourn {

/// @throws DeviceError with CUDA's own words, the call and the place, when `status` is not success.
inline void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  throw DeviceError(std::string("CUDA: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ") from " +
                    call + " at " + file + ":" + std::to_string(line) +
                    "; run on the CPU, or with fewer particles when memory is short");
}

}  // namespace sojourn

#define SOJOURN_CUDA_TRY(call) ::sojourn::check_cuda((call), #call, __FILE__, __LINE__)
