#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn::cli {

/// A double with 17 significant digits (`%.17g`), enough to read back the same bits; "nan", "inf" and "-inf" otherwise.
std::string format_number(double value);

/// Builds one JSON text front to back. Doubles get 17 significant digits; NaN and infinities become null.
/// Members of the outermost object stand on lines of their own, everything below is compact.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(double number);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(bool truth);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& null();
  JsonWriter& values(std::span<const double> numbers);
  JsonWriter& values(std::span<const std::string> texts);
  /// Numbers in row-major order as nested arrays of the given extents; no extents: one bare number.
  JsonWriter& nested(std::span<const double> numbers, std::span<const std::size_t> extents);
  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  /// The text with a final newline. The writer is empty afterwards.
  std::string take();

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();
  std::string text_;
  std::vector<std::size_t> num_written_;  ///< values written so far at every open level
  bool after_key_ = false;
};

}  // namespace sojourn::cli
