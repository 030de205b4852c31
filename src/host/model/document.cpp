#include "model/document.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "expects.hpp"
#include "model/document_tree.hpp"
#include "model/expression_grammar.hpp"
#include "model/suggest.hpp"

namespace sojourn {
namespace {

using Value = Document::Value;

/// A scalar in quotes as messages show it, cut where it is long.
std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  return fmt::format("'{}{}'", text.substr(0, kShown), text.size() > kShown ? "..." : "");
}

struct NumberText {
  bool is_number = false;
  bool is_whole = false;
  double value = 0;
  bool in_range = true;
};

/// Decimal numbers, and infinity and NaN as YAML writes them. Independent of the locale.
NumberText read_number(std::string_view text) {
  NumberText result;
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  for (const std::string_view name : {".inf", ".Inf", ".INF", "inf", "Infinity"})
    if (digits == name)
      return {true, false,
              negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity(), true};
  for (const std::string_view name : {".nan", ".NaN", ".NAN", "nan", "NaN"})
    if (text == name) return {true, false, std::numeric_limits<double>::quiet_NaN(), true};
  if (digits.empty() || number_length(digits) != digits.size()) return result;
  result.is_number = true;
  result.is_whole = std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), result.value);
  result.in_range = fault == std::errc();
  if (negative) result.value = -result.value;
  return result;
}

}  // namespace

ValueKind Value::kind() const { return tree_->items[index_].kind; }
bool Value::is_quoted() const { return tree_->items[index_].quoted; }
bool Value::is_number() const { return is_scalar() && !is_quoted() && read_number(text()).is_number; }
bool Value::is_integer() const { return is_scalar() && !is_quoted() && read_number(text()).is_whole; }
bool Value::is_bool() const { return is_scalar() && !is_quoted() && (text() == "true" || text() == "false"); }
int Value::line() const { return tree_->items[index_].line; }
int Value::column() const { return tree_->items[index_].column; }

std::string Value::path() const {
  std::string path;
  for (std::int32_t i = index_; tree_->items[i].parent >= 0; i = tree_->items[i].parent) {
    const Tree::Item& parent = tree_->items[tree_->items[i].parent];
    std::string step;
    if (tree_->items[i].key >= 0) {
      step = std::string(tree_->key_text(tree_->items[i].key));
    } else {
      const auto first = tree_->children.begin() + parent.begin;
      step = fmt::format("[{}]", std::find(first, first + parent.size, i) - first);
    }
    const bool joined = path.empty() || path.starts_with('[');
    path = step + (joined ? "" : ".") + path;
  }
  return path;
}

const std::string& Value::origin() const { return tree_->origin; }

std::string Value::where() const { return fmt::format("{}:{}:{}", tree_->origin, line(), column()); }

std::string Value::describe() const {
  switch (kind()) {
    case ValueKind::kNull:
      return "nothing";
    case ValueKind::kScalar:
      return shown(text());
    case ValueKind::kSequence:
      return fmt::format("a list of {}", size());
    case ValueKind::kMapping:
      return fmt::format("a mapping of {}", size());
  }
  return "";
}

void Value::fail(const std::string& message) const {
  const std::string at = path();
  throw ModelError(fmt::format("{}: {}{}{}", where(), at, at.empty() ? "" : ": ", message));
}

std::string_view Value::text() const {
  if (!is_scalar()) fail(fmt::format("expected text, got {}", describe()));
  return tree_->item_text(tree_->items[index_]);
}

std::string Value::as_string() const { return std::string(text()); }

double Value::as_any_double() const {
  if (!is_scalar()) fail(fmt::format("expected a number, got {}", describe()));
  if (is_quoted()) fail(fmt::format("expected a number, got the quoted text {}; remove the quotes", describe()));
  const NumberText number = read_number(text());
  if (!number.is_number) fail(fmt::format("expected a number, got {}; write it as 12, 0.5 or 1e-3", describe()));
  if (!number.in_range) fail(fmt::format("number {} is beyond the range of 64-bit floating point", describe()));
  return number.value;
}

double Value::as_double(double lower, double upper) const {
  const double value = as_any_double();
  if (!std::isfinite(value)) fail(fmt::format("number {} must be finite", text()));
  if (value >= lower && value <= upper) return value;
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (upper == kLargest) fail(fmt::format("number {} must be >= {}", text(), lower));
  if (lower == -kLargest) fail(fmt::format("number {} must be <= {}", text(), upper));
  fail(fmt::format("number {} must be in [{}, {}]", text(), lower, upper));
}

std::int64_t Value::as_integer(std::int64_t lower, std::int64_t upper) const {
  constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
  constexpr auto kHighest = std::numeric_limits<std::int64_t>::max();
  std::string allowed = "a whole number";
  if (lower != kLowest && upper != kHighest)
    allowed = fmt::format("a whole number in [{}, {}]", lower, upper);
  else if (lower != kLowest)
    allowed = fmt::format("a whole number >= {}", lower);
  else if (upper != kHighest)
    allowed = fmt::format("a whole number <= {}", upper);
  if (is_quoted()) fail(fmt::format("expected {}, got the quoted text {}; remove the quotes", allowed, describe()));
  if (!is_integer()) fail(fmt::format("expected {}, got {}", allowed, describe()));
  std::string_view digits = text();
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const std::string_view magnitude = digits.substr(digits.starts_with('-') ? 1 : 0);
  if (magnitude.size() > 1 && magnitude[0] == '0')
    fail(fmt::format("whole number {} starts with 0, which some readers take as octal; write it without", describe()));
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc() || value < lower || value > upper)
    fail(fmt::format("expected {}, got {}", allowed, describe()));
  return value;
}

std::uint64_t Value::as_unsigned() const {
  std::uint64_t value = 0;
  const bool whole = is_integer() && !text().starts_with('-');
  if (whole) {
    const std::string_view digits = text().substr(text().starts_with('+') ? 1 : 0);
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (fault == std::errc()) return value;
  }
  fail(fmt::format("expected a whole number in [0, 18446744073709551615], got {}{}", describe(),
                   is_quoted() ? "; remove the quotes" : ""));
}

bool Value::as_bool() const {
  if (!is_bool()) fail(fmt::format("expected true or false, got {}", describe()));
  return text() == "true";
}

std::vector<double> Value::as_doubles() const {
  expect(ValueKind::kSequence);
  std::vector<double> values;
  values.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) values.push_back((*this)[i].as_double());
  return values;
}

std::vector<std::string> Value::as_strings() const {
  expect(ValueKind::kSequence);
  std::vector<std::string> values;
  for (std::size_t i = 0; i < size(); ++i) values.push_back((*this)[i].as_string());
  return values;
}

std::string Value::as_one_of(std::span<const std::string> allowed) const {
  const std::string value = as_string();
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
    fail(fmt::format("unknown value {}{} (allowed: {})", describe(), suggestion(value, allowed), list_names(allowed)));
  return value;
}

void Value::expect(ValueKind wanted) const {
  if (kind() == wanted) return;
  const char* names[] = {"nothing", "text or a number", "a list", "a mapping"};
  fail(fmt::format("expected {}, got {}", names[static_cast<int>(wanted)], describe()));
}

std::size_t Value::size() const { return is_sequence() || is_mapping() ? tree_->items[index_].size : 0; }

Value Value::operator[](std::size_t index) const {
  if (index >= size()) fail(fmt::format("item {} is missing; there are {}", index, size()));
  return {tree_, tree_->children[tree_->items[index_].begin + index]};
}

std::string_view Value::key() const { return tree_->key_text(tree_->items[index_].key); }
int Value::key_line() const {
  const std::int32_t key = tree_->items[index_].key;
  return key < 0 ? line() : tree_->keys[key].line;
}
int Value::key_column() const {
  const std::int32_t key = tree_->items[index_].key;
  return key < 0 ? column() : tree_->keys[key].column;
}

std::vector<std::string> Value::keys() const {
  expect(ValueKind::kMapping);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < size(); ++i) names.emplace_back((*this)[i].key());
  return names;
}

std::optional<Value> Value::find(std::string_view key) const {
  expect(ValueKind::kMapping);
  const Tree::Item& item = tree_->items[index_];
  for (std::uint32_t i = 0; i < item.size; ++i) {
    const std::int32_t child = tree_->children[item.begin + i];
    if (tree_->key_text(tree_->items[child].key) == key) return Value(tree_, child);
  }
  return std::nullopt;
}

Value Value::at(std::string_view key) const {
  const std::optional<Value> found = find(key);
  if (!found) fail(fmt::format("missing key '{}'", key));
  return *found;
}

void Value::expect_keys(std::span<const std::string> allowed) const {
  expect(ValueKind::kMapping);
  for (std::size_t i = 0; i < size(); ++i) {
    const Value member = (*this)[i];
    const std::string name(member.key());
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    std::string hint = suggestion(name, allowed);
    // A comma inside {...} ends the value before it: the rest of a call like min(a, b) then looks like a key.
    if (member.is_null() && name.find(')') != std::string::npos) hint = "; quote an expression that contains a comma";
    const std::string at = path();
    throw ModelError(fmt::format("{}:{}:{}: {}{}unknown key '{}'{} (allowed: {})", tree_->origin, member.key_line(),
                                 member.key_column(), at, at.empty() ? "" : ": ", name, hint, list_names(allowed, 20)));
  }
}

}  // namespace sojourn
