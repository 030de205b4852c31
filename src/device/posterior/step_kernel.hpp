#pragma once

#include <cstdint>

#include "device/posterior/step_batch.hpp"

namespace sojourn {

/// Lanes of a block; a warp is one stream of them.
inline constexpr std::int64_t kStepLanes = 32;

/// Blocks of steps that the current device holds at once. @throws DeviceError.
std::int64_t resident_step_blocks();

/// Enqueues all steps of a batch. Nothing is done where the number at `guard` is not 0.
void launch_steps(const StepRun& run, const std::int32_t* guard, void* stream);

}  // namespace sojourn
