#pragma once

#include <cmath>
#include <cstdint>

namespace sojourn {

/// A double with a wider exponent: value = mantissa * 2^(512 * exponent), |mantissa| in [2^-256, 2^256) or 0.
///
/// Costs about four times a double. The normal form is loose on purpose, so that most sums and products need no
/// rescaling (the idea of Fukushima's X-numbers, 2012).
struct Wide {
  double mantissa = 0;
  std::int64_t exponent = kZeroExponent;

  /// Below every other; 512 times it is still a number.
  static constexpr std::int64_t kZeroExponent = INT64_MIN / 2048;
  static constexpr double kHigh = 0x1p256, kLow = 0x1p-256, kUnit = 0x1p512, kInverseUnit = 0x1p-512;

  Wide() = default;
  Wide(double value) {  // NOLINT(google-explicit-constructor): used as a number
    if (value == 0) return;
    int power = 0;
    mantissa = std::frexp(value, &power);
    exponent = (power + (power >= 0 ? 256 : -255)) / 512;
    mantissa = std::ldexp(mantissa, static_cast<int>(power - 512 * exponent));
  }
  Wide(double m, std::int64_t e) : mantissa(m), exponent(e) { normalise(); }

  void normalise() {
    const double size = std::fabs(mantissa);
    if (size >= kHigh) {
      mantissa *= kInverseUnit;
      ++exponent;
    } else if (size < kLow) {
      if (size == 0) {
        exponent = kZeroExponent;
      } else {
        do {
          mantissa *= kUnit;
          --exponent;
        } while (std::fabs(mantissa) < kLow);
      }
    }
  }

  Wide& operator+=(const Wide& other) {
    const std::int64_t lead = exponent - other.exponent;
    if (lead == 0) {
      mantissa += other.mantissa;
    } else if (lead == 1) {
      mantissa += other.mantissa * kInverseUnit;
    } else if (lead == -1) {
      mantissa = mantissa * kInverseUnit + other.mantissa;
      exponent = other.exponent;
    } else if (lead < 0) {
      *this = other;
      return *this;
    } else {
      return *this;
    }
    normalise();
    return *this;
  }
  friend Wide operator*(const Wide& a, const Wide& b) { return {a.mantissa * b.mantissa, a.exponent + b.exponent}; }
  friend Wide operator+(Wide a, const Wide& b) { return a += b; }
  [[nodiscard]] bool is_zero() const { return mantissa == 0; }
};

/// Natural logarithm of mantissa * 2^exponent; -inf for 0.
inline double log_scaled(double mantissa, std::int64_t exponent) {
  int power = 0;
  // The mantissa is brought near 1, so that a value near 1 keeps the accuracy of its logarithm.
  const double m = std::frexp(mantissa, &power);
  const std::int64_t total = exponent + power;
  if (total == 0 || total == 1) return std::log(total == 1 ? 2 * m : m);
  return std::log(m) + static_cast<double>(total) * 0.693147180559945309417232121458;
}

}  // namespace sojourn
