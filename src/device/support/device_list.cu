#include <cuda_runtime_api.h>

#include "device/support/device_list.hpp"

namespace sojourn {

std::vector<std::string> list_cuda_devices() {
  std::vector<std::string> devices;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    const std::string name = "cuda:" + std::to_string(index) + " ";
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
      devices.push_back(name + "(cannot be asked for its properties)");
      continue;
    }
    const std::size_t gib = properties.totalGlobalMem >> 30;
    devices.push_back(name + properties.name + ", " + std::to_string(gib) + " GiB");
  }
  return devices;
}

}  // namespace sojourn
