#pragma once

#include <boost/multiprecision/cpp_bin_float.hpp>

#include "common/prc_replay.hpp"

namespace sojourn {

/// A real number of `Digits` decimal digits for the PRC replay; a type of its own so that the replay's overloads find
/// it.
template <unsigned Digits>
struct Multi {
  using Value =
      boost::multiprecision::number<boost::multiprecision::cpp_bin_float<Digits>, boost::multiprecision::et_off>;
  Value v = 0;

  Multi() = default;
  explicit Multi(double a) : v(a) {}
  explicit Multi(Value a) : v(std::move(a)) {}

  Multi& operator+=(const Multi& b) {
    v += b.v;
    return *this;
  }
  friend Multi operator+(const Multi& a, const Multi& b) { return Multi(Value(a.v + b.v)); }
  friend Multi operator*(const Multi& a, const Multi& b) { return Multi(Value(a.v * b.v)); }
};

/// The same for complex numbers.
template <unsigned Digits>
struct MultiComplex {
  using Value = typename Multi<Digits>::Value;
  Value re = 0, im = 0;

  MultiComplex() = default;
  explicit MultiComplex(double a) : re(a) {}
  MultiComplex(Value real, Value imaginary) : re(std::move(real)), im(std::move(imaginary)) {}

  MultiComplex& operator+=(const MultiComplex& b) {
    re += b.re;
    im += b.im;
    return *this;
  }
  friend MultiComplex operator+(const MultiComplex& a, const MultiComplex& b) { return {a.re + b.re, a.im + b.im}; }
  friend MultiComplex operator-(const MultiComplex& a, const MultiComplex& b) { return {a.re - b.re, a.im - b.im}; }
  friend MultiComplex operator*(const MultiComplex& a, const MultiComplex& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend MultiComplex operator*(const Value& a, const MultiComplex& b) { return {a * b.re, a * b.im}; }
};

template <unsigned D>
void add_product(Multi<D>& acc, const Multi<D>& a, const Multi<D>& b) {
  acc.v += a.v * b.v;
}
template <unsigned D>
void add_product(Multi<D>& acc, double a, const Multi<D>& b) {
  acc.v += a * b.v;
}
template <unsigned D>
Multi<D> reciprocal(const Multi<D>& a) {
  return Multi<D>(typename Multi<D>::Value(1 / a.v));
}

template <unsigned D>
void add_product(MultiComplex<D>& acc, const MultiComplex<D>& a, const MultiComplex<D>& b) {
  acc += a * b;
}
template <unsigned D>
void add_product(MultiComplex<D>& acc, const Multi<D>& a, const MultiComplex<D>& b) {
  acc += a.v * b;
}
template <unsigned D>
void add_product(MultiComplex<D>& acc, double a, const MultiComplex<D>& b) {
  acc.re += a * b.re;
  acc.im += a * b.im;
}
template <unsigned D>
void add_product(MultiComplex<D>& acc, double a, const Multi<D>& b) {
  acc.re += a * b.v;
}
template <unsigned D>
MultiComplex<D> reciprocal(const MultiComplex<D>& a) {
  const typename Multi<D>::Value scale = 1 / (a.re * a.re + a.im * a.im);
  return {a.re * scale, -a.im * scale};
}

}  // namespace sojourn
