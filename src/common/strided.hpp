#pragma once

#include <cstdint>

#include "common/host_device.hpp"

namespace sojourn {

/// Slots of one lane among `stride` lanes, lane-minor: neighbouring lanes lie side by side, as a warp reads them.
template <class T>
struct Strided {
  T* base;
  std::int64_t stride;

  SOJOURN_HD T& operator[](std::int64_t slot) const { return base[slot * stride]; }
  /// The slots from `slot` on.
  [[nodiscard]] SOJOURN_HD Strided from(std::int64_t slot) const { return {base + slot * stride, stride}; }
};

/// Whether numbers belong to one lane of a device, or of a host loop in its place.
template <class Array>
inline constexpr bool kIsStrided = false;
template <class T>
inline constexpr bool kIsStrided<Strided<T>> = true;

}  // namespace sojourn
