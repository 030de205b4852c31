#pragma once

#include "common/prc_number.hpp"

namespace sojourn {

/// A complex number of one lane, for host and device alike: sixteen bytes that one load fetches.
struct alignas(16) LaneComplex {
  double re, im;

  LaneComplex() = default;
  SOJOURN_HD explicit LaneComplex(double real, double imaginary = 0) : re(real), im(imaginary) {}

  SOJOURN_HD LaneComplex& operator+=(const LaneComplex& b) {
    re += b.re;
    im += b.im;
    return *this;
  }
  friend SOJOURN_HD LaneComplex operator+(LaneComplex a, const LaneComplex& b) { return a += b; }
  friend SOJOURN_HD LaneComplex operator-(const LaneComplex& a, const LaneComplex& b) {
    return LaneComplex(a.re - b.re, a.im - b.im);
  }
  friend SOJOURN_HD LaneComplex operator*(const LaneComplex& a, const LaneComplex& b) {
    LaneComplex product(rounded_product(a.re, b.re), rounded_product(a.im, b.re));
    sojourn::add_product(product.re, -a.im, b.im);
    sojourn::add_product(product.im, a.re, b.im);
    return product;
  }
  friend SOJOURN_HD LaneComplex operator*(double a, const LaneComplex& b) {
    return LaneComplex(rounded_product(a, b.re), rounded_product(a, b.im));
  }
};

SOJOURN_HD inline void add_product(LaneComplex& acc, const LaneComplex& a, const LaneComplex& b) {
  add_product(acc.re, a.re, b.re);
  add_product(acc.im, a.re, b.im);
  add_product(acc.re, -a.im, b.im);
  add_product(acc.im, a.im, b.re);
}
SOJOURN_HD inline void add_product(LaneComplex& acc, double a, const LaneComplex& b) {
  add_product(acc.re, a, b.re);
  add_product(acc.im, a, b.im);
}
SOJOURN_HD inline void add_product(LaneComplex& acc, double a, double b) { add_product(acc.re, a, b); }
SOJOURN_HD inline LaneComplex reciprocal(const LaneComplex& a) {
  const double scale = 1.0 / (a.re * a.re + a.im * a.im);
  return LaneComplex(a.re * scale, -(a.im * scale));
}

/// Within a factor of sqrt(2) of the modulus, without its root.
SOJOURN_HD inline double size_of(const LaneComplex& a) { return absolute(a.re) + absolute(a.im); }
SOJOURN_HD inline bool smaller(const LaneComplex& a, const LaneComplex& b) { return size_of(a) < size_of(b); }

}  // namespace sojourn
