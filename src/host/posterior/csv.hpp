#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn {

/// Walks the rows of a comma-separated text without copying it.
///
/// Takes LF and CRLF line ends, a UTF-8 byte order mark, blanks around fields, quoted fields (a doubled quote is kept
/// as written) and blank lines at the end. Rows are counted as lines of the file from 1, the header being row 1.
class CsvReader {
 public:
  /// `text` must outlive the reader.
  CsvReader(std::string_view text, std::string origin);

  /// Moves to the next row; false at the end.
  /// @throws ModelError for a blank line before the end, an unclosed quote or text after a closing one.
  bool next();
  [[nodiscard]] std::int64_t row() const { return row_; }
  [[nodiscard]] std::span<const std::string_view> fields() const { return fields_; }
  [[nodiscard]] const std::string& origin() const { return origin_; }

 private:
  void split(std::string_view line);

  std::string_view rest_;
  std::string origin_;
  std::int64_t row_ = 0;
  std::vector<std::string_view> fields_;
};

/// `field` between quotes for a message: cut to 40 bytes, control and non-ASCII bytes as '?'.
std::string printable(std::string_view field);

/// @throws ModelError for a NumPy file, UTF-16 text or a NUL byte: what it is, and that a CSV file is wanted.
void refuse_binary(std::string_view bytes, const std::string& origin);

}  // namespace sojourn
