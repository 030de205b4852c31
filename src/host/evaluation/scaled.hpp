#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>

#include "common/prc_replay.hpp"

namespace sojourn {

/// A number mantissa * 2^exponent with a range no double has, for replays whose values under- or overflow. `Value` is
/// double or std::complex<double>; its larger component is kept in [0.5, 1).
template <class Value>
struct Scaled {
  Value mantissa{};
  std::int64_t exponent = 0;

  Scaled() = default;
  explicit Scaled(double a) : mantissa(a) { normalize(); }
  Scaled(Value m, std::int64_t e) : mantissa(m), exponent(e) { normalize(); }

  static double magnitude(double a) { return std::abs(a); }
  static double magnitude(const std::complex<double>& a) { return std::max(std::abs(a.real()), std::abs(a.imag())); }
  static double shifted(double a, int by) { return std::ldexp(a, by); }
  static std::complex<double> shifted(const std::complex<double>& a, int by) {
    return {std::ldexp(a.real(), by), std::ldexp(a.imag(), by)};
  }

  void normalize() {
    const double size = magnitude(mantissa);
    if (size == 0 || !std::isfinite(size)) {
      exponent = 0;
      return;
    }
    int by = 0;
    std::frexp(size, &by);
    mantissa = shifted(mantissa, -by);
    exponent += by;
  }
  [[nodiscard]] bool is_zero() const { return mantissa == Value{}; }

  Scaled& operator+=(const Scaled& b) {
    if (b.is_zero()) return *this;
    if (is_zero()) return *this = b;
    const std::int64_t gap = b.exponent - exponent;
    // Beyond this gap the smaller number does not touch the larger one's last bit.
    constexpr std::int64_t kFar = 200;
    if (gap < -kFar) return *this;
    if (gap > kFar) return *this = b;
    if (gap <= 0) {
      mantissa += shifted(b.mantissa, static_cast<int>(gap));
    } else {
      mantissa = shifted(mantissa, static_cast<int>(-gap)) + b.mantissa;
      exponent = b.exponent;
    }
    normalize();
    return *this;
  }
  friend Scaled operator+(Scaled a, const Scaled& b) { return a += b; }
  friend Scaled operator-(Scaled a, const Scaled& b) { return a += -1.0 * b; }
  friend Scaled operator*(const Scaled& a, const Scaled& b) {
    return Scaled(a.mantissa * b.mantissa, a.exponent + b.exponent);
  }
  friend Scaled operator*(double a, const Scaled& b) {
    int by = 0;
    const double mantissa = std::frexp(a, &by);  // a product of doubles could leave their range
    return Scaled(mantissa * b.mantissa, b.exponent + by);
  }
};

template <class Value>
void add_product(Scaled<Value>& acc, const Scaled<Value>& a, const Scaled<Value>& b) {
  acc += a * b;
}
template <class Value>
void add_product(Scaled<Value>& acc, double a, const Scaled<Value>& b) {
  acc += a * b;
}
template <class Value>
void add_product(Scaled<Value>& acc, double a, double b) {
  acc += a * Scaled<Value>(b);
}
template <class Value>
bool smaller(const Scaled<Value>& a, const Scaled<Value>& b) {
  if (b.is_zero()) return false;
  if (a.is_zero() || a.exponent != b.exponent) return a.is_zero() || a.exponent < b.exponent;
  return Scaled<Value>::magnitude(a.mantissa) < Scaled<Value>::magnitude(b.mantissa);
}
/// A number is as good as its size to `smaller`.
template <class Value>
const Scaled<Value>& size_of(const Scaled<Value>& a) {
  return a;
}
template <class Value>
Scaled<Value> reciprocal(const Scaled<Value>& a) {
  return Scaled<Value>(1.0 / a.mantissa, -a.exponent);
}

}  // namespace sojourn
