#pragma once

#include <cstdint>

#include "sojourn/device.hpp"

namespace sojourn {

enum class MappingChoice : std::uint8_t;

/// Everything that CUDA device number `index` does for a program. Calls of one part run one after another on a stream
/// of its own and wait for their results. `report` is told of batches halved for lack of memory.
/// @throws DeviceError where there is no such device, or none that can be used.
Device open_cuda_device(int index, LikelihoodDevice::Report report);

/// The same with a choice of the threads that work on a lane, for tests and benchmarks.
Device open_cuda_device_by(MappingChoice choice, int index, LikelihoodDevice::Report report);

}  // namespace sojourn
