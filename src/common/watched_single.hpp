#pragma once

#include <cmath>
#include <limits>

#include "common/form_sum.hpp"
#include "common/prc_number.hpp"

namespace sojourn {

/// A number >= 0 of single precision that knows whether it can be trusted, for host and device: 0 exactly, or a normal
/// number. What leaves that range, and everything that is made of it, is not finite for good: a result too small for a
/// normal number turns into NaN instead of losing digits, and the reciprocal of infinity into NaN instead of 0. A
/// device has no flags that would tell. Products are added with one rounding on either side, so that a host loop gives
/// a device's bits.
/// Cost: a comparison beside each operation.
struct WatchedSingle {
  float value;

  WatchedSingle() = default;
  SOJOURN_HD WatchedSingle(double x) : value(static_cast<float>(x)) {  // NOLINT: constants and rates are doubles
    if (is_small(value) && x != 0) value = nothing();
  }

  SOJOURN_HD friend WatchedSingle operator+(WatchedSingle a, WatchedSingle b) { return exactly(a.value + b.value); }
  SOJOURN_HD WatchedSingle& operator+=(WatchedSingle b) { return *this = *this + b; }
  SOJOURN_HD friend WatchedSingle operator*(WatchedSingle a, WatchedSingle b) {
    const float product = a.value * b.value;
    return exactly(is_small(product) ? settled(product, a, b) : product);
  }

  /// Written so that NaN is not small.
  [[nodiscard]] SOJOURN_HD static bool is_small(float x) {
    return x < std::numeric_limits<float>::min() && x > -std::numeric_limits<float>::min();
  }
  [[nodiscard]] SOJOURN_HD static float nothing() { return std::numeric_limits<float>::quiet_NaN(); }
  [[nodiscard]] SOJOURN_HD static WatchedSingle exactly(float x) {
    WatchedSingle number;
    number.value = x;
    return number;
  }
  /// A small sum or product of a and b: right if one of them is 0.
  [[nodiscard]] SOJOURN_HD static float settled(float small, WatchedSingle a, WatchedSingle b) {
    return a.value == 0 || b.value == 0 ? small : nothing();
  }
};

template <>
class FormSum<WatchedSingle> : public LongSum<double> {};

/// As `add_product` of doubles.
SOJOURN_HD inline void add_product(WatchedSingle& acc, WatchedSingle a, WatchedSingle b) {
  const float sum = std::fma(a.value, b.value, acc.value);
  acc.value = WatchedSingle::is_small(sum) ? WatchedSingle::settled(sum, a, b) : sum;
}
/// The same number as a double.
SOJOURN_HD inline double widened(double a) { return a; }
SOJOURN_HD inline double widened(WatchedSingle a) { return a.value; }
SOJOURN_HD inline WatchedSingle reciprocal(WatchedSingle a) {
  const float inverse = 1.0F / a.value;
  return WatchedSingle::exactly(WatchedSingle::is_small(inverse) ? WatchedSingle::nothing() : inverse);
}

}  // namespace sojourn
