#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "sojourn/error.hpp"

namespace sojourn {

/// A device has less memory free than was asked for; fewer lanes at once may do.
struct OutOfDeviceMemory : DeviceError {
  using DeviceError::DeviceError;
};

/// Not even the least fits that has nothing to do with the number of lanes: fewer of them would not help.
struct LeastDoesNotFit : OutOfDeviceMemory {
  using OutOfDeviceMemory::OutOfDeviceMemory;
};

/// What `OutOfDeviceMemory` says, whoever asked: a driver or a test in its place.
inline std::string out_of_memory_text(std::size_t asked_bytes, std::size_t free_bytes, std::size_t total_bytes) {
  return "CUDA: out of memory: asked for " + std::to_string(asked_bytes) + " bytes, " + std::to_string(free_bytes) +
         " of " + std::to_string(total_bytes) + " are free";
}

/// `bytes` from a driver, which has allocate(bytes), null where there is no memory, and free_and_total_bytes().
/// @throws OutOfDeviceMemory naming the bytes asked for and free.
template <class Driver>
void* allocate_or_throw(Driver&& driver, std::size_t bytes) {
  void* const memory = driver.allocate(bytes);
  if (memory != nullptr) return memory;
  const auto [free_bytes, total_bytes] = driver.free_and_total_bytes();
  throw OutOfDeviceMemory(out_of_memory_text(bytes, free_bytes, total_bytes));
}

/// What `make` gives; where it runs out of memory its error says what would do: `advice` is made only then.
template <class Make, class Advice>
decltype(auto) with_way_out(Make&& make, Advice&& advice) {
  try {
    return make();
  } catch (const OutOfDeviceMemory& error) {
    throw OutOfDeviceMemory(std::string(error.what()) + "; " + advice());
  }
}

/// The part of a device's free memory that batches are sized by; the rest is left to the driver and other programs.
inline constexpr double kUsableMemory = 0.9;
/// The part of it that slots of blocks in work may take; the rest is for the batch.
inline constexpr double kSlotShare = 0.5;

/// Runs `run(size)`. Where that runs out of memory it is repeated with half as many, which `report` is told, down to
/// `smallest`. Returns the size that fitted.
/// @throws what `run` throws, a `LeastDoesNotFit` at once; OutOfDeviceMemory where even the smallest size does not fit.
template <class Run>
std::int64_t run_fitting(std::int64_t size, std::int64_t smallest,
                         const std::function<void(const std::string&)>& report, Run&& run) {
  for (;;) {
    try {
      run(size);
      return size;
    } catch (const LeastDoesNotFit&) {
      throw;
    } catch (const OutOfDeviceMemory& error) {
      if (size <= smallest)
        throw OutOfDeviceMemory(std::string(error.what()) + "; not even a batch of " + std::to_string(size) +
                                " fits: free memory there, take a device with more, or use --device cpu");
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
