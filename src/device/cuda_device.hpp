#pragma once

#include <cstdint>

#include "sojourn/cuda_device.hpp"

namespace sojourn {

enum class MappingChoice : std::uint8_t;

/// As `open_cuda_device`, with a choice of the threads that work on a lane, for tests and benchmarks.
Device open_cuda_device_by(MappingChoice choice, int index, LikelihoodDevice::Report report);

/// As `open_cuda_device`, for a program that uses no other: the device stays the calling thread's current one.
/// Switching back would wake device 0 beside it, whose memory many ranks of a node would then take.
Device open_only_cuda_device(int index, LikelihoodDevice::Report report);

}  // namespace sojourn
