#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace sojourn {

/// Non-owning row-major matrix [rows, cols], contiguous.
template <class T>
class MatrixView {
 public:
  MatrixView() = default;
  MatrixView(T* values, std::size_t num_rows, std::size_t num_cols)
      : values_(values), num_rows_(num_rows), num_cols_(num_cols) {}
  /// A view of const elements from a view of mutable ones.
  template <class U>
  requires std::is_same_v<const U, T> MatrixView(MatrixView<U> other)  // NOLINT(google-explicit-constructor)
      : values_(other.data()), num_rows_(other.num_rows()), num_cols_(other.num_cols()) {}

  [[nodiscard]] T* data() const { return values_; }
  [[nodiscard]] std::size_t num_rows() const { return num_rows_; }
  [[nodiscard]] std::size_t num_cols() const { return num_cols_; }
  [[nodiscard]] std::size_t size() const { return num_rows_ * num_cols_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  T& operator()(std::size_t row, std::size_t col) const { return values_[row * num_cols_ + col]; }
  [[nodiscard]] std::span<T> row(std::size_t row) const { return {values_ + row * num_cols_, num_cols_}; }

 private:
  T* values_ = nullptr;
  std::size_t num_rows_ = 0;
  std::size_t num_cols_ = 0;
};

/// Owning row-major matrix [rows, cols].
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t num_rows, std::size_t num_cols, T fill = T{})
      : values_(num_rows * num_cols, fill), num_rows_(num_rows), num_cols_(num_cols) {}

  [[nodiscard]] std::size_t num_rows() const { return num_rows_; }
  [[nodiscard]] std::size_t num_cols() const { return num_cols_; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  T& operator()(std::size_t row, std::size_t col) { return values_[row * num_cols_ + col]; }
  const T& operator()(std::size_t row, std::size_t col) const { return values_[row * num_cols_ + col]; }
  std::span<T> row(std::size_t row) { return {values_.data() + row * num_cols_, num_cols_}; }
  std::span<const T> row(std::size_t row) const { return {values_.data() + row * num_cols_, num_cols_}; }
  std::vector<T>& values() { return values_; }
  const std::vector<T>& values() const { return values_; }
  MatrixView<T> view() { return {values_.data(), num_rows_, num_cols_}; }
  MatrixView<const T> view() const { return {values_.data(), num_rows_, num_cols_}; }

 private:
  std::vector<T> values_;
  std::size_t num_rows_ = 0;
  std::size_t num_cols_ = 0;
};

}  // namespace sojourn
