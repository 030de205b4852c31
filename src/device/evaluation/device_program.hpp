#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/level_view.hpp"
#include "common/prc_view.hpp"

namespace sojourn {

struct LevelOptions;
struct Mapping;
struct PrcArrays;

/// A level schedule in device memory, and the program with its value slots.
struct DeviceLevels {
  PrcView program;
  LevelView levels;
  std::int64_t num_factor_slots;
  std::int32_t num_value_slots;
};

/// The arrays of an elimination program in device memory, by levels, uploaded once and read by every replay, of several
/// threads too.
class DeviceProgram {
 public:
  /// Uploads arrays by level (`by_level`) to the current device. @throws DeviceError. Cost: one copy of
  /// `PrcCost::bytes`.
  explicit DeviceProgram(PrcArrays sorted);
  ~DeviceProgram();
  DeviceProgram(DeviceProgram&&) noexcept;

  /// Pointers into device memory.
  [[nodiscard]] const PrcView& view() const;
  /// The same arrays in host memory.
  [[nodiscard]] const PrcArrays& arrays() const;
  /// Made and uploaded when first asked for. @throws DeviceError.
  [[nodiscard]] const DeviceLevels& levels(const LevelOptions& options) const;
  /// The mapping of that name, made when first asked for.
  [[nodiscard]] const Mapping& remember(const std::string& name, const std::function<Mapping()>& make) const;
  [[nodiscard]] std::size_t num_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sojourn
