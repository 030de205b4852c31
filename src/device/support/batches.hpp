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

/// Runs `run(size)`. Where that runs out of memory it is repeated with half as many, which `report` is told, down to
/// `smallest`. Returns the size that fitted.
/// @throws what `run` throws; OutOfDeviceMemory where even the smallest size does not fit.
template <class Run>
std::int64_t run_fitting(std::int64_t size, std::int64_t smallest,
                         const std::function<void(const std::string&)>& report, Run&& run) {
  for (;;) {
    try {
      run(size);
      return size;
    } catch (const OutOfDeviceMemory& error) {
      if (size <= smallest) throw;
      size = std::max(smallest, size / 2);
      report(std::string(error.what()) + ": the batch is halved to " + std::to_string(size));
    }
  }
}

/// Runs `run(first, count)` over [0, total) in batches of at most `batch`, in order. Where one does not fit, it and
/// those after it are smaller, see `run_fitting`.
template <class Run>
void for_each_batch(std::int64_t total, std::int64_t batch, std::int64_t smallest,
                    const std::function<void(const std::string&)>& report, Run&& run) {
  batch = std::max(batch, smallest);
  for (std::int64_t first = 0; first < total;) {
    const std::int64_t count = std::min(batch, total - first);
    const std::int64_t fitted = run_fitting(count, smallest, report, [&](std::int64_t size) { run(first, size); });
    if (fitted < count) batch = fitted;
    first += fitted;
  }
}

}  // namespace sojourn
