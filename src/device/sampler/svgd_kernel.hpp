#pragma once

#include <cstdint>

#include "device/sampler/direction_batch.hpp"

namespace sojourn {

/// Sums a direction on the current device: rows [row_begin, row_end) of `launch.phi`.
/// Sums are fp64, those of a mixed direction over pairs in single precision, in an order fixed by n (see
/// `svgd_block.hpp`), so the bits depend on neither timing nor row split.
/// @param guard   in device memory; where it is not 0 nothing is done. May be null.
/// @param stream  a cudaStream_t; the call only enqueues.
/// @throws DeviceError when the launch fails or d > svgd_lanes::kMostDimensions.
void launch_svgd_direction(const DirectionLaunch& launch, const std::int32_t* guard, void* stream);

}  // namespace sojourn
