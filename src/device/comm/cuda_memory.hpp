#pragma once

#include <memory>

#include "device/comm/device_communicator.hpp"

namespace sojourn {

/// Device `index` of this process and `stream` (cudaStream_t) of it, which the caller owns. @throws DeviceError.
std::unique_ptr<DeviceMemory> make_cuda_memory(int index, void* stream);

}  // namespace sojourn
