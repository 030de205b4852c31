#pragma once

#include <cstddef>

#include "sojourn/growing_array.hpp"

namespace sojourn {

/// A growing array whose elements are mostly those that `Rule::at(index)` gives: nothing is held until one differs.
template <class T, class Rule>
class ImpliedArray {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool is_held() const { return is_held_; }
  [[nodiscard]] std::size_t num_bytes() const { return values_.capacity() * sizeof(T); }
  T operator[](std::size_t i) const { return is_held_ ? values_[i] : Rule::at(i); }
  [[nodiscard]] T front() const { return (*this)[0]; }
  [[nodiscard]] T back() const { return (*this)[size_ - 1]; }

  void push_back(const T& value) {
    if (!is_held_) {
      if (value == Rule::at(size_)) {
        ++size_;
        return;
      }
      hold();
    }
    values_.push_back(value);
    ++size_;
  }
  void reserve(std::size_t capacity) {
    if (is_held_) values_.reserve(capacity);
  }
  /// Gives every element a place of its own.
  void hold() {
    if (is_held_) return;
    is_held_ = true;
    values_.extend(size_);
    for (std::size_t i = 0; i < size_; ++i) values_[i] = Rule::at(i);
  }
  /// At least `size` elements; where they are held, new ones are unset.
  void extend(std::size_t size) {
    if (is_held_) values_.extend(size);
    if (size > size_) size_ = size;
  }
  /// Only where elements are held.
  void set(std::size_t i, const T& value) { values_[i] = value; }
  void clear() {
    values_.clear();
    size_ = 0;
    is_held_ = false;
  }
  void shrink_to_fit() { values_.shrink_to_fit(); }
  /// Calls `visit(array)` for the elements that are held and `value(number)` for the rest: for copies elsewhere.
  template <class Self, class Visit, class Value>
  static void visit_parts(Self& self, Visit&& visit, Value&& value) {
    auto& [values, size, is_held] = self;
    visit(values);
    value(size);
    value(is_held);
  }

 private:
  GrowingArray<T> values_;
  std::size_t size_ = 0;
  bool is_held_ = false;
};

}  // namespace sojourn
