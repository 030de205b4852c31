#include "cli/json_writer.hpp"

#include <cmath>
#include <cstdio>

namespace sojourn::cli {

std::string format_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (num_written_.empty()) return;
  if (num_written_.back()++ > 0) text_ += ',';
  if (num_written_.size() == 1) {
    text_ += '\n';
  } else if (num_written_.back() > 1) {
    text_ += ' ';
  }
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  text_ += bracket;
  num_written_.push_back(0);
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  const bool outermost = num_written_.size() == 1 && num_written_.back() > 0;
  num_written_.pop_back();
  if (outermost) text_ += '\n';
  text_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  text_ += ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  separate();
  text_ += format_number(number);
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t number) {
  separate();
  text_ += std::to_string(number);
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
  separate();
  text_ += std::to_string(number);
  return *this;
}

JsonWriter& JsonWriter::value(bool truth) {
  separate();
  text_ += truth ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  text_ += "null";
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  text_ += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      text_ += '\\';
      text_ += letter;
    } else if (letter == '\n') {
      text_ += "\\n";
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(letter));
      text_ += buffer;
    } else {
      text_ += letter;
    }
  }
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::values(std::span<const double> numbers) {
  begin_array();
  for (const double number : numbers) value(number);
  return end_array();
}

JsonWriter& JsonWriter::values(std::span<const std::string> texts) {
  begin_array();
  for (const std::string& text : texts) value(text);
  return end_array();
}

JsonWriter& JsonWriter::nested(std::span<const double> numbers, std::span<const std::size_t> extents) {
  if (extents.empty()) return value(numbers.front());
  begin_array();
  const std::size_t stride = extents.front() == 0 ? 0 : numbers.size() / extents.front();
  for (std::size_t i = 0; i < extents.front(); ++i) nested(numbers.subspan(i * stride, stride), extents.subspan(1));
  return end_array();
}

std::string JsonWriter::take() {
  text_ += '\n';
  std::string text = std::move(text_);
  text_.clear();
  num_written_.clear();
  after_key_ = false;
  return text;
}

}  // namespace sojourn::cli
