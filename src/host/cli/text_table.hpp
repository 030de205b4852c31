#pragma once

#include <string>
#include <vector>

namespace sojourn::cli {

/// Columns of text, aligned on the left and parted by two spaces, for people to read.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  /// One row; missing cells at its end stay empty.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// Lines, each ended by a newline and without spaces at its end. Columns that are empty throughout are left out.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Six significant digits, for tables that people read and no program parses.
std::string format_short(double value);

/// "1,234,567".
std::string format_count(long long count);

/// "0.85 s", "12 s", "3 min 20 s", "2 h 05 min".
std::string format_duration(double seconds);

}  // namespace sojourn::cli
