#pragma once

#include "sojourn/device.hpp"

namespace sojourn {

/// What the current device reaches in loops that do nothing else, each the best of several launches; see
/// `DeviceLimits`. @throws DeviceError.
DeviceLimits measure_device_limits();

}  // namespace sojourn
