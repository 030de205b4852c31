#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "common/lane_complex.hpp"

namespace sojourn::testing {

/// The memory of a "device" that is the host's: all numbers are NaN until they are written.
class UnwrittenMemory {
 public:
  template <class T>
  class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t size) : values_(size, unwritten()) {}
    [[nodiscard]] T* data() const { return const_cast<T*>(values_.data()); }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

   private:
    static T unwritten() {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      if constexpr (std::is_same_v<T, LaneComplex>) return LaneComplex(kNan, kNan);
      if constexpr (std::is_same_v<T, double>) return kNan;
      return T{};
    }
    std::vector<T> values_;
  };

  template <class T>
  void upload(T* there, std::span<const T> here) {
    std::copy(here.begin(), here.end(), there);
  }
  template <class T>
  void download(const T* there, std::span<T> here) {
    std::copy_n(there, here.size(), here.begin());
  }
};

}  // namespace sojourn::testing
