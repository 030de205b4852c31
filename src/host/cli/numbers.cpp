#include "cli/numbers.hpp"

#include <charconv>
#include <cmath>

#include "cli/json_writer.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr std::size_t kMaxPoints = 10'000'000;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <class Visit>
void for_each_item(std::string_view text, char separator, const Visit& visit) {
  for (std::size_t begin = 0;;) {
    const auto end = text.find(separator, begin);
    visit(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return;
    begin = end + 1;
  }
}

void check_point(const std::string& flag, double point, PointRule rule) {
  switch (rule) {
    case PointRule::kNonNegative:
      SOJOURN_EXPECTS(std::isfinite(point) && point >= 0, UsageError, "{}: point {} must be finite and >= 0", flag,
                      format_number(point));
      break;
    case PointRule::kCount:
      SOJOURN_EXPECTS(std::isfinite(point) && point >= 0 && point == std::floor(point), UsageError,
                      "{}: point {} must be a whole number >= 0, as the model is in discrete time", flag,
                      format_number(point));
      break;
    case PointRule::kProbability:
      SOJOURN_EXPECTS(point > 0 && point < 1, UsageError, "{}: probability {} must lie strictly between 0 and 1", flag,
                      format_number(point));
      break;
  }
}

}  // namespace

std::optional<double> parse_double(std::string_view text) {
  text = trim(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say on which side: a number below the smallest double reads as 0.
    const bool negative = text.front() == '-';
    const auto exponent = text.find_first_of("eE");
    const bool tiny = exponent != std::string_view::npos && exponent + 1 < text.size() && text[exponent + 1] == '-';
    value = tiny ? 0 : std::numeric_limits<double>::infinity();
    return negative ? -value : value;
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

double parse_number(const std::string& flag, std::string_view text, double lower, double upper) {
  const std::optional<double> value = parse_double(text);
  SOJOURN_EXPECTS(value, UsageError, "{}: '{}' is not a number", flag, text);
  SOJOURN_EXPECTS(std::isfinite(*value) && *value >= lower && *value <= upper, UsageError,
                  "{}: {} must be a finite number{}{}", flag, format_number(*value),
                  lower > -std::numeric_limits<double>::max() ? fmt::format(", at least {:g}", lower) : "",
                  upper < std::numeric_limits<double>::max() ? fmt::format(", at most {:g}", upper) : "");
  return *value;
}

std::int64_t parse_whole(const std::string& flag, std::string_view text, std::int64_t lower, std::int64_t upper) {
  std::int64_t value = 0;
  const std::string_view trimmed = trim(text);
  const auto [end, error] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), value);
  const bool whole = !trimmed.empty() && end == trimmed.data() + trimmed.size();
  const std::string allowed = upper == std::numeric_limits<std::int64_t>::max() ? fmt::format("at least {}", lower)
                                                                                : fmt::format("{} to {}", lower, upper);
  SOJOURN_EXPECTS(whole && error != std::errc::invalid_argument, UsageError,
                  "{}: '{}' is not a whole number written in digits; allowed: {}", flag, text, allowed);
  SOJOURN_EXPECTS(error == std::errc() && value >= lower && value <= upper, UsageError,
                  "{}: {} is out of range; allowed: {}", flag, trimmed, allowed);
  return value;
}

std::uint64_t parse_seed(const std::string& flag, std::string_view text) {
  std::uint64_t value = 0;
  const std::string_view trimmed = trim(text);
  const auto [end, error] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), value);
  SOJOURN_EXPECTS(!trimmed.empty() && end == trimmed.data() + trimmed.size() && error == std::errc(), UsageError,
                  "{}: '{}' must be a whole number from 0 to 18446744073709551615", flag, text);
  return value;
}

std::vector<double> parse_list(const std::string& flag, std::string_view text) {
  std::vector<double> numbers;
  for_each_item(text, ',', [&](std::string_view item) {
    const std::optional<double> number = parse_double(item);
    SOJOURN_EXPECTS(number, UsageError, "{}: item {} of '{}' is '{}', not a number; write them as 1.0,2.5", flag,
                    numbers.size() + 1, text, item);
    numbers.push_back(*number);
  });
  return numbers;
}

std::vector<double> parse_points(const std::string& flag, std::string_view text, PointRule rule) {
  std::vector<double> points;
  const auto append = [&](double point) {
    check_point(flag, point, rule);
    SOJOURN_EXPECTS(points.size() < kMaxPoints, UsageError, "{}: more than {} points; ask in several calls", flag,
                    kMaxPoints);
    points.push_back(point);
  };
  for_each_item(text, ',', [&](std::string_view item) {
    if (item.find(':') == std::string_view::npos) {
      const std::optional<double> point = parse_double(item);
      SOJOURN_EXPECTS(point, UsageError, "{}: '{}' is not a number; write points as 0.5,1,2 or as lo:hi:n", flag, item);
      append(*point);
      return;
    }
    std::vector<std::string_view> parts;
    for_each_item(item, ':', [&](std::string_view part) { parts.push_back(part); });
    const std::optional<double> low = parse_double(parts[0]);
    const std::optional<double> high = parts.size() == 3 ? parse_double(parts[1]) : std::nullopt;
    SOJOURN_EXPECTS(parts.size() == 3 && low && high, UsageError,
                    "{}: '{}' is not a range; write lo:hi:n for n points from lo to hi", flag, item);
    check_point(flag, *low, rule);
    check_point(flag, *high, rule);
    const std::int64_t count = parse_whole(flag, parts[2], 1, static_cast<std::int64_t>(kMaxPoints));
    for (std::int64_t i = 0; i < count; ++i) {
      const double share = count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(count - 1);
      append(i + 1 == count && count > 1 ? *high : *low + share * (*high - *low));
    }
  });
  return points;
}

}  // namespace sojourn::cli
