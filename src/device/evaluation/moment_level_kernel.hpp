#pragma once

#include "common/moment_lane.hpp"
#include "device/evaluation/device_program.hpp"
#include "device/evaluation/mapping.hpp"

namespace sojourn {

/// Blocks of moments by levels that the current device holds at once. @throws DeviceError.
std::int64_t resident_level_blocks(const MomentLaneShape& shape, const Mapping& mapping);

/// What `launch_moments` does where the mapping is by levels: `slots` [blocks, global slots, lanes].
void launch_moment_levels(const DeviceLevels& levels, MomentLaneShape shape, const Mapping& mapping,
                          const double* reward, const double* phi, std::int64_t num_lanes, std::int64_t num_blocks,
                          void* slots, const MomentLaneOutput& output, void* stream);

}  // namespace sojourn
