#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/lane_complex.hpp"
#include "device/support/batches.hpp"

namespace sojourn::testing {

/// The memory of a "device" that is the host's: all numbers are NaN until they are written.
class UnwrittenMemory {
 public:
  /// Larger pieces than this are refused, as by a driver whose memory others have taken or cut up.
  static inline std::size_t largest_piece = std::numeric_limits<std::size_t>::max();
  static inline std::atomic<std::size_t> allocated_bytes = 0;  ///< so far, by all threads
  struct FakeDriver {
    [[nodiscard]] void* allocate(std::size_t bytes) const {
      static char there;
      allocated_bytes += bytes;
      return bytes <= largest_piece ? &there : nullptr;
    }
    [[nodiscard]] std::pair<std::size_t, std::size_t> free_and_total_bytes() const {
      return {largest_piece, std::size_t{1} << 40};
    }
  };

  template <class T>
  class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t size) : values_(allocated(size), unwritten()) {}
    [[nodiscard]] T* data() const { return const_cast<T*>(values_.data()); }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

   private:
    /// As `DeviceBuffer` asks its driver.
    static std::size_t allocated(std::size_t size) {
      if (size > 0) allocate_or_throw(FakeDriver{}, size * sizeof(T));
      return size;
    }
    static T unwritten() {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      if constexpr (std::is_same_v<T, LaneComplex>) return LaneComplex(kNan, kNan);
      if constexpr (std::is_same_v<T, double>) return kNan;
      return T{};
    }
    std::vector<T> values_;
  };
  /// The host's own, which holds nothing before a copy has come.
  template <class T>
  class HostBuffer {
   public:
    HostBuffer() = default;
    explicit HostBuffer(std::size_t size) : values_(size) {
      if constexpr (std::is_same_v<T, double>) std::ranges::fill(values_, std::numeric_limits<double>::quiet_NaN());
    }
    [[nodiscard]] T* data() const { return const_cast<T*>(values_.data()); }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

   private:
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
