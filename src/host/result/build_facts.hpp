#pragma once

#include "sojourn/info.hpp"

namespace sojourn {

/// `build_info` without the devices, which would wake the driver, and the thread count, which the environment decides
/// and may refuse. Never throws for the environment.
BuildInfo build_facts();

}  // namespace sojourn
