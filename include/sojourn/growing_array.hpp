#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace sojourn {

/// A growing array of plain values. Unlike a vector it grows by `realloc`, which moves the pages of a large block
/// rather than their contents, and new elements are left unset: a graph of gigabytes is neither copied nor held twice
/// while it is built, and each of its pages is touched once.
template <class T>
class GrowingArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  GrowingArray() = default;
  explicit GrowingArray(std::span<const T> values) { append(values); }
  GrowingArray(const GrowingArray& other) { append({other.data_, other.size_}); }
  GrowingArray(GrowingArray&& other) noexcept { swap(other); }
  GrowingArray& operator=(GrowingArray other) noexcept {
    swap(other);
    return *this;
  }
  ~GrowingArray() { std::free(data_); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  [[nodiscard]] T* begin() { return data_; }
  [[nodiscard]] T* end() { return data_ + size_; }
  [[nodiscard]] const T* begin() const { return data_; }
  [[nodiscard]] const T* end() const { return data_ + size_; }
  [[nodiscard]] const T& front() const { return data_[0]; }
  T& back() { return data_[size_ - 1]; }
  [[nodiscard]] const T& back() const { return data_[size_ - 1]; }

  void push_back(const T& value) {
    if (size_ == capacity_) {
      const T copy = value;
      grow_to(size_ + 1);
      data_[size_++] = copy;
      return;
    }
    data_[size_++] = value;
  }
  /// `values` must not lie in this array.
  void append(std::span<const T> values) {
    if (values.empty()) return;
    const std::size_t before = size_;
    extend(size_ + values.size());
    std::memcpy(data_ + before, values.data(), values.size_bytes());
  }
  /// At least `size` elements, those beyond the present ones unset.
  void extend(std::size_t size) {
    if (size > capacity_) grow_to(size);
    if (size > size_) size_ = size;
  }
  /// Exactly `size` elements, new ones equal to `value`.
  void resize(std::size_t size, const T& value) {
    const std::size_t before = size_;
    const T copy = value;
    extend(size);
    size_ = size;
    for (std::size_t i = before; i < size; ++i) data_[i] = copy;
  }
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) set_capacity(capacity);
  }
  /// Gives back what is not used.
  void shrink_to_fit() {
    if (capacity_ > size_ && size_ > 0) set_capacity(size_);
  }
  void clear() { size_ = 0; }
  void swap(GrowingArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  void grow_to(std::size_t size) {
    std::size_t capacity = capacity_ + capacity_ / 2;
    if (capacity < size) capacity = size;
    if (capacity < kSmallest) capacity = kSmallest;
    set_capacity(capacity);
  }
  void set_capacity(std::size_t capacity) {
    if (capacity > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_alloc();
    void* const moved = std::realloc(static_cast<void*>(data_), capacity * sizeof(T));
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<T*>(moved);
    capacity_ = capacity;
  }

  static constexpr std::size_t kSmallest = 16;
  T* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace sojourn
