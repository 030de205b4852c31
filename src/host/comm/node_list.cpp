#include "comm/node_list.hpp"

#include <algorithm>
#include <cctype>

#include "expects.hpp"

namespace sojourn {
namespace {

/// Longest host name of the domain name system.
constexpr std::size_t kLongestName = 253;
/// Digits of a number in a bracket; more do not fit 64 bits.
constexpr std::size_t kMostDigits = 18;
/// Parts of one name; more are no name.
constexpr std::size_t kMostParts = 64;

struct Range {
  std::int64_t first, last;
  int width;
  [[nodiscard]] std::int64_t count() const { return last - first + 1; }
};

/// Part of a name: text as it stands, or one of the numbers of a bracket.
struct Part {
  std::string text;
  std::vector<Range> ranges;

  [[nodiscard]] std::int64_t count() const {
    if (ranges.empty()) return 1;
    std::int64_t sum = 0;
    for (const Range& range : ranges) sum += range.count();
    return sum;
  }
  /// The first `count` choices.
  [[nodiscard]] std::vector<std::string> choices(std::int64_t count) const {
    if (ranges.empty()) return {text};
    std::vector<std::string> numbers;
    for (const Range& range : ranges) {
      for (std::int64_t n = range.first; n <= range.last; ++n) {
        if (std::ssize(numbers) == count) return numbers;
        numbers.push_back(fmt::format("{:0{}}", n, range.width));
      }
    }
    return numbers;
  }
  [[nodiscard]] std::size_t length() const {
    std::size_t longest = text.size();
    for (const Range& range : ranges)
      longest = std::max({longest, static_cast<std::size_t>(range.width), fmt::formatted_size("{}", range.last)});
    return longest;
  }
};

struct Name {
  std::vector<Part> parts;
  std::int64_t count = 1;

  [[nodiscard]] std::string first() const {
    std::string host;
    for (const Part& part : parts) host += part.choices(1).front();
    return host;
  }
  void append_all(std::vector<std::string>& hosts) const {
    std::vector<std::string> begun{""};
    for (const Part& part : parts) {
      const std::vector<std::string> choices = part.choices(part.count());
      std::vector<std::string> longer;
      longer.reserve(begun.size() * choices.size());
      for (const std::string& prefix : begun) {
        for (const std::string& choice : choices) longer.push_back(prefix + choice);
      }
      begun.swap(longer);
    }
    hosts.insert(hosts.end(), begun.begin(), begun.end());
  }
};

class Reader {
 public:
  explicit Reader(std::string_view list) : list_(list) {}

  std::vector<Name> names() {
    std::vector<Name> names;
    if (list_.empty()) fail(0, "it is empty");
    while (true) {
      const std::size_t begin = at_;
      names.push_back(name());
      total_ += names.back().count;
      check_count(total_, begin);
      if (at_ == list_.size()) return names;
      ++at_;  // the comma
      if (at_ == list_.size()) fail(at_ - 1, "a host name is missing behind the comma");
    }
  }

 private:
  [[noreturn]] void fail(std::size_t position, const std::string& what) const {
    constexpr std::size_t kShown = 60;
    std::string shown(list_.substr(0, kShown));
    std::ranges::replace_if(
        shown, [](unsigned char c) { return std::isprint(c) == 0; }, '?');
    throw CommError(fmt::format(
        "node list '{}{}', position {}: {}; allowed are names as node[001-004,007],gpu1; see SLURM_JOB_NODELIST", shown,
        list_.size() > kShown ? "..." : "", position + 1, what));
  }
  void check_count(std::int64_t count, std::size_t position) const {
    if (count > kMostNodes) fail(position, fmt::format("more than {} hosts", kMostNodes));
  }
  [[nodiscard]] char peek() const { return at_ < list_.size() ? list_[at_] : '\0'; }

  Name name() {
    Name name;
    const std::size_t begin = at_;
    std::size_t length = 0;
    while (at_ < list_.size() && list_[at_] != ',') {
      const std::size_t place = at_;
      if (name.parts.size() == kMostParts) fail(place, fmt::format("more than {} parts in a name", kMostParts));
      name.parts.push_back(peek() == '[' ? bracket() : text(begin));
      const Part& part = name.parts.back();
      name.count *= part.count();  // at most the square of kMostNodes
      check_count(name.count, place);
      length += part.length();
      if (length > kLongestName) fail(begin, fmt::format("a name of more than {} characters", kLongestName));
    }
    if (name.parts.empty()) fail(begin, "a host name is missing");
    return name;
  }

  Part text(std::size_t name_begin) {
    const std::size_t begin = at_;
    for (; at_ < list_.size() && list_[at_] != ',' && list_[at_] != '['; ++at_) {
      const auto c = static_cast<unsigned char>(list_[at_]);
      if (c == ']') fail(at_, "']' without '['");
      // A name that begins with a dash would be read as a flag by others.
      const bool inside = at_ > begin || begin > name_begin;
      if (std::isalnum(c) == 0 && c != '_' && !(inside && (c == '-' || c == '.')))
        fail(at_, std::isprint(c) != 0 ? fmt::format("'{}' is not allowed in a host name", static_cast<char>(c))
                                       : fmt::format("byte 0x{:02x} is not allowed in a host name", c));
    }
    return {std::string(list_.substr(begin, at_ - begin)), {}};
  }

  Part bracket() {
    const std::size_t open = at_++;
    Part part;
    std::int64_t count = 0;
    while (true) {
      const std::size_t begin = at_;
      part.ranges.push_back(range(open));
      count += std::min(part.ranges.back().count(), kMostNodes + 1);
      check_count(count, begin);
      if (peek() == ']') break;
      if (at_ == list_.size()) fail(open, "'[' is never closed");
      if (peek() != ',') fail(at_, fmt::format("',' or ']' is expected, not '{}'", shown(peek())));
      ++at_;
    }
    ++at_;
    return part;
  }

  Range range(std::size_t open) {
    const std::size_t begin = at_;
    const std::int64_t first = number(open);
    const auto width = static_cast<int>(at_ - begin);
    std::int64_t last = first;
    if (peek() == '-') {
      ++at_;
      last = number(open);
      if (last < first) fail(begin, fmt::format("the range {}-{} runs backwards", first, last));
    }
    return {first, last, width};
  }

  std::int64_t number(std::size_t open) {
    const std::size_t begin = at_;
    std::int64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      if (at_ - begin == kMostDigits) fail(begin, fmt::format("a number of more than {} digits", kMostDigits));
      value = 10 * value + (peek() - '0');
    }
    if (at_ == begin && at_ == list_.size()) fail(open, "'[' is never closed");
    if (at_ == begin) fail(at_, fmt::format("a number is expected, not '{}'", shown(peek())));
    return value;
  }

  static char shown(char c) { return std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?'; }

  std::string_view list_;
  std::size_t at_ = 0;
  std::int64_t total_ = 0;
};

}  // namespace

std::vector<std::string> expand_node_list(std::string_view list) {
  std::vector<std::string> hosts;
  for (const Name& name : Reader(list).names()) name.append_all(hosts);
  return hosts;
}

std::int64_t count_nodes(std::string_view list) {
  std::int64_t count = 0;
  for (const Name& name : Reader(list).names()) count += name.count;
  return count;
}

std::string first_node(std::string_view list) { return Reader(list).names().front().first(); }

}  // namespace sojourn
