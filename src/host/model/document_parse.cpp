#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>
#include <unordered_map>

#include "expects.hpp"
#include "model/document_tree.hpp"

namespace sojourn {
namespace {

/// Reads from text that is already in memory, without copying it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

/// Builds the tree from yaml-cpp's events and refuses what a model may not contain while it streams by, so that neither
/// depth nor aliases can make the reader work more than in proportion to the text.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const DocumentLimits& limits, Document::Tree& tree)
      : text_(text), limits_(limits), tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++num_documents_ > 1)
      fail(mark, "the document has ended before this text; check the indentation, a file holds one document");
  }
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases are not allowed; write the value out");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    fail(mark, fmt::format("anchor '&{}': anchors and aliases are not allowed; write the value out", name));
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_properties(mark, "?", anchor);
    const Frame* frame = stack_.empty() ? nullptr : &stack_.back();
    if (frame != nullptr && frame->is_mapping && !frame->has_key)
      fail(mark, "a key is missing before ':'; write 'key: value'");
    place({ValueKind::kNull, false, mark.line + 1, mark.column + 1, -1, -1, 0, 0});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_properties(mark, tag, anchor);
    check_quotes(mark);
    const auto begin = static_cast<std::uint32_t>(tree_.text.size());
    const auto size = static_cast<std::uint32_t>(value.size());
    if (!stack_.empty() && stack_.back().is_mapping && !stack_.back().has_key) {
      add_key(mark, value, begin, size);
      return;
    }
    tree_.text += value;
    place({ValueKind::kScalar, tag == "!", mark.line + 1, mark.column + 1, -1, -1, begin, size});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, ValueKind::kSequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, ValueKind::kMapping);
  }
  void OnMapEnd() override { close(); }

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw ModelError(fmt::format("{}:{}:{}: {}", tree_.origin, mark.line + 1, mark.column + 1, message));
  }

 private:
  struct Frame {
    std::int32_t item;
    bool is_mapping;
    bool has_key = false;
    std::int32_t key = -1;
    std::vector<std::int32_t> children;
    std::unordered_map<std::string, std::int32_t> key_lines;
  };

  void check_properties(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(mark, "anchors and aliases are not allowed; write the value out");
    // yaml-cpp reports '!' for quoted text as for a bare '!', and drops the tag of a null: the text itself tells.
    const bool written = mark.pos >= 0 && static_cast<std::size_t>(mark.pos) < text_.size() && text_[mark.pos] == '!';
    if (written || (tag != "?" && tag != "!"))
      fail(mark, "tags are not allowed; remove it, and quote text or an expression that starts with '!'");
  }

  /// yaml-cpp takes the end of the file for a closing quote.
  void check_quotes(const YAML::Mark& mark) const {
    const auto start = static_cast<std::size_t>(std::max(mark.pos, 0));
    const char quote = start < text_.size() ? text_[start] : '\0';
    if (quote != '"' && quote != '\'') return;
    for (std::size_t i = start + 1; i < text_.size(); ++i) {
      const bool escapes = quote == '"' ? text_[i] == '\\' : text_.substr(i, 2) == "''";
      if (!escapes && text_[i] == quote) return;
      if (escapes) ++i;
    }
    fail(mark, fmt::format("the quote {} that starts here is not closed", quote));
  }

  void add_key(const YAML::Mark& mark, const std::string& name, std::uint32_t begin, std::uint32_t size) {
    Frame& frame = stack_.back();
    const auto [first, is_new] = frame.key_lines.try_emplace(name, mark.line + 1);
    if (!is_new)
      fail(mark, fmt::format("duplicate key '{}': lines {} and {} both give it; keep one", name, first->second,
                             mark.line + 1));
    tree_.text += name;
    frame.key = static_cast<std::int32_t>(tree_.keys.size());
    frame.has_key = true;
    tree_.keys.push_back({begin, size, mark.line + 1, mark.column + 1});
  }

  std::int32_t place(Document::Tree::Item item) {
    const auto index = static_cast<std::int32_t>(tree_.items.size());
    if (!stack_.empty()) {
      Frame& frame = stack_.back();
      item.parent = frame.item;
      item.key = frame.key;
      frame.key = -1;
      frame.has_key = false;
      frame.children.push_back(index);
    }
    tree_.items.push_back(item);
    return index;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, ValueKind kind) {
    check_properties(mark, tag, anchor);
    if (!stack_.empty() && stack_.back().is_mapping && !stack_.back().has_key)
      fail(mark, "a key must be plain text, or the list or mapping that starts here is not closed");
    if (static_cast<int>(stack_.size()) >= limits_.max_depth)
      fail(mark, fmt::format("nesting deeper than {} at line {}; flatten the {}", limits_.max_depth, mark.line + 1,
                             limits_.what));
    const std::int32_t item = place({kind, false, mark.line + 1, mark.column + 1, -1, -1, 0, 0});
    stack_.push_back({item, kind == ValueKind::kMapping, false, -1, {}, {}});
  }

  void close() {
    const Frame& frame = stack_.back();
    Document::Tree::Item& item = tree_.items[frame.item];
    item.begin = static_cast<std::uint32_t>(tree_.children.size());
    item.size = static_cast<std::uint32_t>(frame.children.size());
    tree_.children.insert(tree_.children.end(), frame.children.begin(), frame.children.end());
    stack_.pop_back();
  }

  std::string_view text_;
  const DocumentLimits& limits_;
  Document::Tree& tree_;
  std::vector<Frame> stack_;
  int num_documents_ = 0;
};

/// yaml-cpp's wording with what to do about it.
std::string explain(const std::string& message) {
  using namespace YAML::ErrorMsg;
  if (message.starts_with(UNKNOWN_ANCHOR) || message == ALIAS_NOT_FOUND || message == CHAR_IN_ALIAS)
    return "aliases are not allowed; quote text or an expression that starts with '*'";
  if (message == ANCHOR_NOT_FOUND || message == CHAR_IN_ANCHOR || message == MULTIPLE_ANCHORS)
    return "anchors and aliases are not allowed; quote text or an expression that starts with '&'";
  if (message == MULTIPLE_TAGS || message == CHAR_IN_TAG_HANDLE || message == TAG_WITH_NO_SUFFIX ||
      message == END_OF_VERBATIM_TAG)
    return "tags are not allowed; quote text or an expression that starts with '!'";
  if (message == END_OF_MAP) return "expected ':' or the end of the mapping; check the indentation of this line";
  if (message == END_OF_MAP_FLOW) return "expected ',' or '}'; the mapping is not closed";
  if (message == END_OF_SEQ) return "expected '-' or the end of the list; check the indentation of this line";
  if (message == END_OF_SEQ_FLOW) return "expected ',' or ']'; the list is not closed";
  if (message == MAP_VALUE) return "unexpected ':'; quote text that contains one";
  return message + "; this is no valid YAML";
}

}  // namespace

Document Document::parse(std::string_view text, const std::string& origin, const DocumentLimits& limits) {
  SOJOURN_EXPECTS(std::ssize(text) <= limits.max_bytes, ModelError,
                  "{}: {} of {} bytes exceeds {} {}; raise that limit if it is meant", origin, limits.what, text.size(),
                  limits.bytes_option, limits.max_bytes);
  constexpr std::size_t kIndexable = (1ULL << 31) - 1;  // items and offsets are 32 bits wide
  SOJOURN_EXPECTS(text.size() < kIndexable, ModelError, "{}: {} of {} bytes; at most {} can be read", origin,
                  limits.what, text.size(), kIndexable);
  check_utf8(text, origin);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  SOJOURN_EXPECTS(text.find_first_not_of(" \t\r\n") != std::string_view::npos, ModelError,
                  "{}: empty {}; write at least one key", origin, limits.what);
  auto tree = std::make_shared<Tree>();
  tree->origin = origin;
  TreeBuilder builder(text, limits, *tree);
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    builder.fail(error.mark, explain(error.msg));
  }
  SOJOURN_EXPECTS(!tree->items.empty() && tree->items.front().kind != ValueKind::kNull, ModelError,
                  "{}: empty {}; write at least one key", origin, limits.what);
  return Document(std::move(tree));
}

Document Document::load(const std::string& path, const DocumentLimits& limits) {
  return parse(read_text_file(path, limits), path == "-" ? "<stdin>" : path, limits);
}

Document::Value Document::root() const { return {tree_, 0}; }
const std::string& Document::origin() const { return tree_->origin; }

}  // namespace sojourn
