#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "sojourn/error.hpp"

namespace sojourn {

/// A device has less memory free than was asked for; fewer lanes at once may do.
struct OutOfDeviceMemory : DeviceError {
  using DeviceError::DeviceError;
};

/// The part of a device's free memory that batches are sized by; the rest is left to the driver and other programs.
inline constexpr double kUsableMemory = 0.9;

/// Runs `run(first, count)` over [0, total) in batches of at most `batch`, in order. Where one runs out of memory it is
/// repeated with half as many, which `report` is told, down to `smallest`.
/// @throws what `run` throws; OutOfDeviceMemory where even the smallest batch does not fit.
template <class Run>
void for_each_batch(std::int64_t total, std::int64_t batch, std::int64_t smallest,
                    const std::function<void(const std::string&)>& report, Run&& run) {
  batch = std::max(batch, smallest);
  for (std::int64_t first = 0; first < total;) {
    const std::int64_t count = std::min(batch, total - first);
    try {
      run(first, count);
      first += count;
    } catch (const OutOfDeviceMemory& error) {
      if (count <= smallest) throw;
      batch = std::max(smallest, count / 2);
      report(std::string(error.what()) + ": the batch is halved to " + std::to_string(batch));
    }
  }
}

}  // namespace sojourn
