#pragma once

#include <string>
#include <string_view>

namespace sojourn {

/// Text safe inside HTML and SVG, in content and in quoted attributes. Control characters and bytes that are not UTF-8
/// become U+FFFD.
std::string escape_html(std::string_view text);

/// A number for reading: 4 significant digits (whole numbers below a million in full), a true minus sign, powers of ten
/// as "1.2 × 10⁻⁵".
std::string short_number(double value);

/// A duration for reading: "12 ms", "3.4 s", "5 min 02 s", "2 h 05 min".
std::string short_seconds(double seconds);

/// A whole number with thin spaces between groups of three digits.
std::string grouped(double whole);

/// "10⁻⁵".
std::string power_of_ten(int exponent);

}  // namespace sojourn
