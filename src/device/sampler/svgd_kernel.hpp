#pragma once

#include <cstdint>

#include "device/sampler/direction_batch.hpp"

namespace sojourn {

/// Largest dimension the kernel takes: sums live in registers, tiles in at most 64 KiB of shared memory.
inline constexpr int kMaxDeviceDimension = 16;

/// Sums a direction on the current device: rows [row_begin, row_end) of `launch.phi`.
/// Sums are fp64 in an order fixed by n (see `svgd_block.hpp`), so the bits depend on neither timing nor row split.
/// @param guard   in device memory; where it is not 0 nothing is done. May be null.
/// @param stream  a cudaStream_t; the call only enqueues.
/// @throws DeviceError when the launch fails or d > kMaxDeviceDimension.
void launch_svgd_direction(const DirectionLaunch& launch, const std::int32_t* guard, void* stream);

}  // namespace sojourn
