#pragma once

#include <memory>
#include <string>

#include "sojourn/device.hpp"

/// What suites about devices run on: a host loop over the bodies of kernels, or the device that `test_on_device` has
/// opened. Tests that look into the loop, or spoil it, make one themselves.
namespace sojourn::testing {

inline const Device* suite_device = nullptr;  ///< null: the host loop

inline std::string suite_name() { return suite_device != nullptr ? suite_device->name() : "host loop"; }

}  // namespace sojourn::testing
