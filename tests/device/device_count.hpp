#pragma once

#include <cuda_runtime_api.h>

namespace sojourn {

/// CUDA devices of this machine; 0 without a driver.
inline int num_devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}
inline bool has_device() { return num_devices() > 0; }

}  // namespace sojourn
