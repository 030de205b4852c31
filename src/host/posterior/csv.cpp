#include "posterior/csv.hpp"

#include <algorithm>

#include "expects.hpp"

namespace sojourn {
namespace {

constexpr std::string_view kBlanks = " \t";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string origin) : rest_(text), origin_(std::move(origin)) {
  if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
}

bool CsvReader::next() {
  if (rest_.empty()) return false;
  ++row_;
  const auto end = rest_.find('\n');
  std::string_view line = rest_.substr(0, end);
  const std::string_view after = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (is_blank(line)) {
    SOJOURN_EXPECTS(is_blank(after), ModelError, "{}: row {} is blank; only the end of a data file may be", origin_,
                    row_);
    rest_ = {};
    return false;
  }
  rest_ = after;
  split(line);
  return true;
}

void CsvReader::split(std::string_view line) {
  fields_.clear();
  if (line.find('"') == std::string_view::npos) {
    for (;;) {
      const auto comma = line.find(',');
      fields_.push_back(trim(line.substr(0, comma)));
      if (comma == std::string_view::npos) return;
      line.remove_prefix(comma + 1);
    }
  }
  for (;;) {
    const auto first = line.find_first_not_of(kBlanks);
    if (first == std::string_view::npos || line[first] != '"') {
      const auto comma = line.find(',');
      fields_.push_back(trim(line.substr(0, comma)));
      if (comma == std::string_view::npos) return;
      line.remove_prefix(comma + 1);
      continue;
    }
    line.remove_prefix(first + 1);
    std::size_t close = line.find('"');
    while (close != std::string_view::npos && line.substr(close + 1).starts_with('"'))
      close = line.find('"', close + 2);
    SOJOURN_EXPECTS(close != std::string_view::npos, ModelError,
                    "{}: row {}: the quote of field {} is not closed on this line", origin_, row_, fields_.size() + 1);
    fields_.push_back(trim(line.substr(0, close)));
    line.remove_prefix(close + 1);
    const auto comma = line.find(',');
    SOJOURN_EXPECTS(is_blank(line.substr(0, comma)), ModelError, "{}: row {}: {} after the closing quote of field {}",
                    origin_, row_, printable(line.substr(0, comma)), fields_.size());
    if (comma == std::string_view::npos) return;
    line.remove_prefix(comma + 1);
  }
}

std::string printable(std::string_view field) {
  constexpr std::size_t kLongest = 40;
  std::string text(field.substr(0, kLongest));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return "'" + text + (field.size() > kLongest ? "..." : "") + "'";
}

void refuse_binary(std::string_view bytes, const std::string& origin) {
  if (bytes.starts_with("\x93NUMPY")) {
    // The header is a Python literal behind at most 12 bytes; 'O' in its descr means pickled objects.
    std::string header(bytes.substr(0, std::min<std::size_t>(bytes.size(), 4096)));
    std::erase(header, ' ');
    const auto descr = header.find("'descr':");
    const bool object = descr != std::string::npos &&
                        header.substr(descr, header.find_first_of(",}", descr) - descr).find('O') != std::string::npos;
    SOJOURN_EXPECTS(!object, ModelError,
                    "{}: a NumPy file of Python objects: object arrays refused; write the numbers as CSV with a header "
                    "such as 'time'",
                    origin);
    SOJOURN_EXPECTS(false, ModelError,
                    "{}: a NumPy file; data files are CSV: "
                    "numpy.savetxt('data.csv', values, header='time', comments='') writes one",
                    origin);
  }
  SOJOURN_EXPECTS(!bytes.starts_with("\xFF\xFE") && !bytes.starts_with("\xFE\xFF"), ModelError,
                  "{}: UTF-16 text; save the data file as UTF-8 or plain ASCII CSV", origin);
  const auto nul = bytes.find('\0');
  SOJOURN_EXPECTS(nul == std::string_view::npos, ModelError,
                  "{}: byte {} is NUL: not a text file; data files are CSV with a header such as 'time'", origin,
                  nul + 1);
}

}  // namespace sojourn
