#pragma once

#include <memory>

#include "common/prc_view.hpp"

namespace sojourn {

struct PrcArrays;

/// The arrays of an elimination program in device memory, uploaded once and read by every replay.
class DeviceProgram {
 public:
  /// Uploads to the current device. @throws DeviceError. Cost: one copy of `PrcCost::bytes`.
  explicit DeviceProgram(const PrcArrays& arrays);
  ~DeviceProgram();
  DeviceProgram(DeviceProgram&&) noexcept;

  /// Pointers into device memory.
  [[nodiscard]] const PrcView& view() const;
  [[nodiscard]] std::size_t num_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sojourn
