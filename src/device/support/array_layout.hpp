#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <vector>

namespace sojourn {

/// Arrays side by side, each on a boundary that any load likes, and the pointers that are to point at them.
class ArrayLayout {
 public:
  template <class T>
  void place(const T*& pointer, const std::vector<T>& array) {
    const std::size_t begin = bytes_.size();
    bytes_.resize((begin + array.size() * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment);
    if (!array.empty()) std::memcpy(bytes_.data() + begin, array.data(), array.size() * sizeof(T));
    point_.push_back(
        [&pointer, begin](const unsigned char* base) { pointer = reinterpret_cast<const T*>(base + begin); });
  }
  [[nodiscard]] const std::vector<unsigned char>& bytes() const { return bytes_; }
  /// Once the bytes have their place.
  void point_into(const unsigned char* base) const {
    for (const auto& point : point_) point(base);
  }

 private:
  static constexpr std::size_t kAlignment = 256;
  std::vector<unsigned char> bytes_;
  std::vector<std::function<void(const unsigned char*)>> point_;
};

}  // namespace sojourn
