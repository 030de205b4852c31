#pragma once

#include "device/evaluation/device_program.hpp"
#include "device/evaluation/mapping.hpp"
#include "device/posterior/likelihood_batch.hpp"

namespace sojourn {

/// Blocks of transforms by levels that the current device holds at once. @throws DeviceError.
std::int64_t resident_level_blocks(const Mapping& mapping);

/// Enqueues the transforms of `step` by levels: `slots` [blocks, global slots, lanes]. Nothing is done where the number
/// at `guard` is not 0. The bits are those of one thread a lane.
void launch_transform_levels(const DeviceLevels& levels, TransformStep step, const Mapping& mapping,
                             std::int64_t num_blocks, LaneComplex* slots, const std::int32_t* guard, void* stream);

}  // namespace sojourn
