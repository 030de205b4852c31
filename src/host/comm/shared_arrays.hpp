#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "sojourn/communicator.hpp"
#include "sojourn/growing_array.hpp"

namespace sojourn {

/// Makes room for what is to come from rank 0, unless a rank has not the memory: then it ends all, before any number is
/// sent. All ranks call it. @throws CommError on every rank.
void make_room_on_every_rank(Communicator& ranks, std::int64_t num_bytes, const std::function<void()>& allocate);

/// Arrays that rank 0 has and that all other ranks get. Every rank names its own in the same order; one `exchange`
/// then moves all of them, without a second copy on either side. They outlive this.
class SharedArrays {
 public:
  explicit SharedArrays(Communicator& ranks) : ranks_(ranks) {}

  /// A vector, string or GrowingArray of plain values. Constant ones only on rank 0.
  template <class Array>
  void add(Array& array) {
    using Value = std::remove_cvref_t<decltype(array.data()[0])>;
    static_assert(std::is_trivially_copyable_v<Value>);
    items_.push_back({static_cast<std::int64_t>(array.size()), sizeof(Value),
                      [&array](std::size_t size) {
                        if constexpr (std::is_const_v<Array>) {
                          (void)size;
                        } else {
                          resize(array, size);
                        }
                      },
                      [&array] { return writable(array.data(), array.size()); }});
  }
  /// One number, or a structure of numbers.
  template <class Value>
  void add_value(Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    items_.push_back({1, sizeof(Value), [](std::size_t) {}, [&value] { return writable(&value, 1); }});
  }

  /// All ranks call it. Afterwards each holds rank 0's arrays, and all have made sure that they do.
  /// @throws CommError on every rank where one has not the memory or holds other bytes.
  void exchange(const char* what);

 private:
  struct Item {
    std::int64_t size;
    std::size_t bytes_of_one;
    std::function<void(std::size_t)> resize;
    std::function<std::span<std::byte>()> bytes;
  };
  template <class Value>
  static void resize(GrowingArray<Value>& array, std::size_t size) {
    array.clear();
    array.reserve(size);
    array.extend(size);
  }
  template <class Array>
  static void resize(Array& array, std::size_t size) {
    array.resize(size);
  }
  /// What the root's call of a broadcast is given is only read.
  template <class Value>
  static std::span<std::byte> writable(const Value* values, std::size_t size) {
    return std::as_writable_bytes(std::span(const_cast<Value*>(values), size));
  }
  Communicator& ranks_;
  std::vector<Item> items_;
};

/// Texts in a row, which travel as two arrays.
struct FlatTexts {
  std::string characters;
  std::vector<std::int64_t> lengths;

  void add(const std::string& text) {
    characters += text;
    lengths.push_back(std::ssize(text));
  }
  [[nodiscard]] std::vector<std::string> texts() const;
};

}  // namespace sojourn
