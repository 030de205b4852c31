#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "sojourn/growing_array.hpp"

namespace sojourn {

/// Rows of integers, [size(), width()], of one, two or four bytes a value: as few as all of them need. A value that
/// needs more makes every row wider, which happens twice at most and costs O(size() * width()).
class IntegerRows {
 public:
  explicit IntegerRows(std::size_t width = 0) : width_(width) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] std::size_t row_bytes() const { return width_ * static_cast<std::size_t>(value_bytes_); }
  [[nodiscard]] std::size_t num_bytes() const { return bytes_.capacity(); }

  [[nodiscard]] bool fits(std::int32_t value) const { return bytes_for(value) <= value_bytes_; }
  [[nodiscard]] bool fits(std::span<const std::int32_t> values) const {
    if (value_bytes_ == 4) return true;
    const std::uint32_t bias = 1U << (8 * value_bytes_ - 1);
    std::uint32_t seen = 0;
    for (const std::int32_t value : values) seen |= static_cast<std::uint32_t>(value) + bias;
    return seen >> (8 * value_bytes_) == 0;
  }
  /// Makes every row wide enough for `values`; rows lie elsewhere afterwards.
  void widen_for(std::span<const std::int32_t> values) {
    int needed = value_bytes_;
    for (const std::int32_t value : values) needed = std::max(needed, bytes_for(value));
    if (needed == value_bytes_) return;
    IntegerRows wider(width_);
    wider.value_bytes_ = needed;
    wider.resize(size_);
    std::vector<std::int32_t> row_values(width_);
    for (std::size_t i = 0; i < size_; ++i) {
      decode(row(i), row_values);
      wider.encode(row_values, wider.row(i));
    }
    *this = std::move(wider);
  }

  /// A row as it is held, [row_bytes()]; rows of this object are equal where their bytes are.
  [[nodiscard]] std::uint8_t* row(std::size_t i) { return bytes_.data() + i * row_bytes(); }
  [[nodiscard]] const std::uint8_t* row(std::size_t i) const { return bytes_.data() + i * row_bytes(); }
  /// Writes `values` [width()], which fit, to a row as it is held here; `put` writes one of them.
  void encode(std::span<const std::int32_t> values, std::uint8_t* to) const {
    with_value_type([&](auto type) {
      for (std::size_t v = 0; v < values.size(); ++v) store<decltype(type)>(to, v, values[v]);
    });
  }
  void put(std::uint8_t* to, std::size_t v, std::int32_t value) const {
    with_value_type([&](auto type) { store<decltype(type)>(to, v, value); });
  }
  /// And back.
  void decode(const std::uint8_t* from, std::span<std::int32_t> values) const {
    with_value_type([&](auto type) {
      for (std::size_t v = 0; v < values.size(); ++v) {
        decltype(type) value;
        std::memcpy(&value, from + v * sizeof value, sizeof value);
        values[v] = value;
      }
    });
  }
  [[nodiscard]] std::vector<std::int32_t> values(std::size_t i) const {
    std::vector<std::int32_t> found(width_);
    decode(row(i), found);
    return found;
  }

  void append(std::span<const std::int32_t> values) {
    if (!fits(values)) widen_for(values);
    resize(size_ + 1);
    encode(values, row(size_ - 1));
  }
  /// `num_rows` rows; new ones are unset.
  void resize(std::size_t num_rows) {
    bytes_.extend(num_rows * row_bytes());
    if (num_rows < size_) bytes_.resize(num_rows * row_bytes(), 0);
    size_ = num_rows;
  }
  void reserve(std::size_t num_rows) { bytes_.reserve(num_rows * row_bytes()); }
  void shrink_to_fit() { bytes_.shrink_to_fit(); }

 private:
  static int bytes_for(std::int32_t value) {
    if (value == static_cast<std::int8_t>(value)) return 1;
    return value == static_cast<std::int16_t>(value) ? 2 : 4;
  }
  template <class Visit>
  void with_value_type(Visit&& visit) const {
    if (value_bytes_ == 1) return visit(std::int8_t{});
    if (value_bytes_ == 2) return visit(std::int16_t{});
    visit(std::int32_t{});
  }
  template <class Value>
  static void store(std::uint8_t* to, std::size_t v, std::int32_t value) {
    const auto narrow = static_cast<Value>(value);
    std::memcpy(to + v * sizeof narrow, &narrow, sizeof narrow);
  }

  std::size_t width_, size_ = 0;
  int value_bytes_ = 1;
  GrowingArray<std::uint8_t> bytes_;
};

}  // namespace sojourn
