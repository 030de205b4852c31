#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn::cli {

/// The whole text as a number (decimal point, `1e-3`, `inf`, `nan`), spaces around it ignored; nothing otherwise.
/// Independent of the locale. A number beyond the range of double reads as an infinity.
std::optional<double> parse_double(std::string_view text);

/// A finite number in [lower, upper] given to option `flag`. @throws UsageError.
double parse_number(const std::string& flag, std::string_view text, double lower = -std::numeric_limits<double>::max(),
                    double upper = std::numeric_limits<double>::max());

/// A whole number in [lower, upper] given to option `flag`; `1e3` and `3.0` are no whole numbers. @throws UsageError.
std::int64_t parse_whole(const std::string& flag, std::string_view text, std::int64_t lower,
                         std::int64_t upper = std::numeric_limits<std::int64_t>::max());

/// A whole number in [0, 2^64 - 1]. @throws UsageError.
std::uint64_t parse_seed(const std::string& flag, std::string_view text);

/// Comma-separated numbers, as they stand (NaN and infinities included). @throws UsageError naming the position.
std::vector<double> parse_list(const std::string& flag, std::string_view text);

/// Where evaluation points must lie.
enum class PointRule {
  kNonNegative,  ///< finite, >= 0
  kCount,        ///< whole numbers >= 0
  kProbability,  ///< strictly between 0 and 1
};

/// Comma-separated evaluation points; an item `lo:hi:n` stands for n equally spaced points from lo to hi.
/// @throws UsageError for an item that is no number or breaks the rule, and beyond 10 million points.
std::vector<double> parse_points(const std::string& flag, std::string_view text, PointRule rule);

}  // namespace sojourn::cli
