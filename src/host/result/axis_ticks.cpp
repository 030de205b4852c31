#include "result/axis_ticks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "result/page_text.hpp"

namespace sojourn {

namespace {

std::string label_of(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.find_first_not_of("-0.") == std::string::npos && text[0] == '-') text.erase(0, 1);
  if (text[0] == '-') text.replace(0, 1, "−");
  return text;
}

std::string power_label(double value, bool plain) {
  if (plain) {
    return label_of(value, std::max(0, -static_cast<int>(std::floor(std::log10(value) + 1e-9))));
  }
  const int exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  const int lead = static_cast<int>(std::lround(value / std::pow(10.0, exponent)));
  return lead == 1 ? power_of_ten(exponent) : fmt::format("{}·{}", lead, power_of_ten(exponent));
}

}  // namespace

Ticks linear_ticks(double lower, double upper, int most) {
  Ticks result;
  if (!(upper > lower) || !std::isfinite(upper - lower)) return result;
  double step = std::pow(10.0, std::floor(std::log10((upper - lower) / std::max(most, 1))));
  for (int turn = 0;; turn = (turn + 1) % 3) {
    // The small slack keeps a tick that rounding puts just outside.
    const double first = std::ceil(lower / step - 1e-9), last = std::floor(upper / step + 1e-9);
    if (last - first + 1 <= most || last - first > 1e15) {
      if (last - first > 1e15) return result;
      const double size = std::max(std::abs(first), std::abs(last)) * step;
      if (size >= 1e5 || (size > 0 && size < 1e-2)) {
        result.exponent = 3 * static_cast<int>(std::floor(std::log10(size) / 3 + 1e-9));
      }
      const double unit = std::pow(10.0, result.exponent);
      const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step / unit) + 1e-9)));
      for (double k = first; k <= last; ++k) result.ticks.push_back({k * step, label_of(k * step / unit, decimals)});
      return result;
    }
    step *= turn == 1 ? 2.5 : 2;
  }
}

Ticks logarithmic_ticks(double lower, double upper, int most) {
  Ticks result;
  if (!(lower > 0) || !(upper > lower) || !std::isfinite(upper)) return result;
  const int first = static_cast<int>(std::floor(std::log10(lower))),
            last = static_cast<int>(std::ceil(std::log10(upper)));
  // One style of label along an axis: plain digits only where all of them stay short.
  const bool plain = lower >= 0.999e-2 && upper < 1.001e4;
  const auto collect = [&](std::initializer_list<int> leads, int every) {
    result.ticks.clear();
    for (int exponent = first; exponent <= last; ++exponent) {
      if (exponent % every != 0) continue;
      for (const int lead : leads) {
        const double value = lead * std::pow(10.0, exponent);
        if (value >= lower * (1 - 1e-9) && value <= upper * (1 + 1e-9))
          result.ticks.push_back({value, power_label(value, plain)});
      }
    }
    return static_cast<int>(result.ticks.size());
  };
  if (collect({1, 2, 5}, 1) <= most) return result;
  if (collect({1, 3}, 1) <= most) return result;
  for (int every = 1;; ++every) {
    if (collect({1}, every) <= std::max(most, 1)) return result;
  }
}

}  // namespace sojourn
