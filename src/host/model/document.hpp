#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn {

/// What a file may be, and how messages name it.
struct DocumentLimits {
  std::int64_t max_bytes = 64LL << 20;
  int max_depth = 64;
  std::string what = "model";                      ///< "model", "run file": first word of messages about the whole file
  std::string bytes_option = "--max-model-bytes";  ///< the option that raises `max_bytes`
};

/// Whole content of a file; `-` is stdin. The size is checked before anything is read (pipes: while reading).
/// @throws IoError "model: cannot read F: No such file or directory", ModelError beyond `limits.max_bytes`.
std::string read_text_file(const std::string& path, const DocumentLimits& limits = {});

/// @throws ModelError "F: byte 17 is not UTF-8" (offset counted from 0) for malformed UTF-8, a NUL byte or a UTF-16/32
/// byte order mark.
void check_utf8(std::string_view text, const std::string& origin);

enum class ValueKind : std::uint8_t { kNull, kScalar, kSequence, kMapping };

/// A strictly read YAML (or JSON) file: a tree of values that know their line and column.
///
/// Refused with a ModelError "F:line:column: ...": syntax errors, anchors, aliases, tags, duplicate keys (both lines
/// are named), keys that are not text, nesting deeper than `max_depth`, more than one document. Nothing is ever
/// executed or included. Movable; a `Value` keeps the tree alive. Cost: O(bytes), about ten times the text in memory.
class Document {
 public:
  class Value;
  struct Tree;

  /// Reads and parses a file; `-` is stdin (named `<stdin>` in messages). @throws IoError, ModelError.
  static Document load(const std::string& path, const DocumentLimits& limits = {});
  /// Parses text; `origin` stands for the file name in messages. @throws ModelError.
  static Document parse(std::string_view text, const std::string& origin, const DocumentLimits& limits = {});

  [[nodiscard]] Value root() const;
  [[nodiscard]] const std::string& origin() const;

 private:
  explicit Document(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

/// A handle on one value of a Document; cheap to copy. Every typed getter throws a ModelError of the form
/// "F:12:5: rules[1].rate: <what is wrong, the value, what is allowed>".
class Document::Value {
 public:
  [[nodiscard]] ValueKind kind() const;
  [[nodiscard]] bool is_null() const { return kind() == ValueKind::kNull; }
  [[nodiscard]] bool is_scalar() const { return kind() == ValueKind::kScalar; }
  [[nodiscard]] bool is_sequence() const { return kind() == ValueKind::kSequence; }
  [[nodiscard]] bool is_mapping() const { return kind() == ValueKind::kMapping; }
  /// True for a scalar written in quotes or as a block: text, whatever it looks like.
  [[nodiscard]] bool is_quoted() const;
  /// True for an unquoted scalar that reads as a number (`.inf` and `.nan` included).
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_integer() const;
  /// True for an unquoted `true` or `false`.
  [[nodiscard]] bool is_bool() const;

  [[nodiscard]] int line() const;    ///< from 1
  [[nodiscard]] int column() const;  ///< from 1, in bytes
  /// "rules[1].rate"; empty for the root.
  [[nodiscard]] std::string path() const;
  [[nodiscard]] const std::string& origin() const;
  /// "F:12:5".
  [[nodiscard]] std::string where() const;
  /// The value in few words for messages: `12`, `a mapping`, `a list of 3`, `nothing`.
  [[nodiscard]] std::string describe() const;
  /// Throws ModelError "F:12:5: path: message".
  [[noreturn]] void fail(const std::string& message) const;

  /// Text of any scalar as written (quotes removed); numbers and true/false are text too.
  [[nodiscard]] std::string as_string() const;
  /// The same as a view that lives as long as the document.
  [[nodiscard]] std::string_view text() const;
  /// A finite number in [lower, upper].
  [[nodiscard]] double as_double(double lower = -std::numeric_limits<double>::max(),
                                 double upper = std::numeric_limits<double>::max()) const;
  /// A number that may be infinite or NaN (`.inf`, `-.inf`, `inf`, `.nan`).
  [[nodiscard]] double as_any_double() const;
  /// A whole number in [lower, upper]; `3.0` and `1e3` are refused, as they are not whole numbers as written.
  [[nodiscard]] std::int64_t as_integer(std::int64_t lower = std::numeric_limits<std::int64_t>::min(),
                                        std::int64_t upper = std::numeric_limits<std::int64_t>::max()) const;
  /// A whole number in [0, 2^64 - 1]: seeds.
  [[nodiscard]] std::uint64_t as_unsigned() const;
  [[nodiscard]] bool as_bool() const;
  /// A list of finite numbers.
  [[nodiscard]] std::vector<double> as_doubles() const;
  /// A list of texts.
  [[nodiscard]] std::vector<std::string> as_strings() const;
  /// A text that is one of `allowed`; otherwise an error with the list and a suggestion.
  [[nodiscard]] std::string as_one_of(std::span<const std::string> allowed) const;

  /// Fails unless the value is of this kind ("expected a mapping, got a list of 3").
  void expect(ValueKind kind) const;
  /// Members of a mapping or items of a list; 0 for scalars.
  [[nodiscard]] std::size_t size() const;
  /// Item of a list or the value of a mapping's member, in file order. Fails beyond the end.
  [[nodiscard]] Value operator[](std::size_t index) const;
  /// Key under which this value stands in its mapping; empty for list items and the root.
  [[nodiscard]] std::string_view key() const;
  [[nodiscard]] int key_line() const;
  [[nodiscard]] int key_column() const;
  /// Keys of a mapping in file order.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// Member of a mapping, or nothing where the key is absent. Fails unless this is a mapping. O(members).
  [[nodiscard]] std::optional<Value> find(std::string_view key) const;
  /// Member of a mapping; fails with "missing key 'x'".
  [[nodiscard]] Value at(std::string_view key) const;
  /// Fails at the first member whose key is not in `allowed`: "unknown key 'transtions'; did you mean 'transitions'?".
  void expect_keys(std::span<const std::string> allowed) const;
  void expect_keys(std::initializer_list<std::string> allowed) const {
    expect_keys(std::span<const std::string>(allowed.begin(), allowed.size()));
  }

 private:
  friend class Document;
  Value(std::shared_ptr<const Tree> tree, std::int32_t index) : tree_(std::move(tree)), index_(index) {}
  std::shared_ptr<const Tree> tree_;
  std::int32_t index_;
};

}  // namespace sojourn
