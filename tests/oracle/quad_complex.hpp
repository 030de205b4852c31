#pragma once

#include <complex>
#include <utility>
#include <vector>

namespace sojourn::oracle {

/// Complex number of 113 bits each way.
struct QuadComplex {
  __float128 re = 0, im = 0;
  QuadComplex() = default;
  explicit QuadComplex(std::complex<double> a) : re(a.real()), im(a.imag()) {}
  explicit operator std::complex<double>() const { return {static_cast<double>(re), static_cast<double>(im)}; }

  QuadComplex& operator+=(const QuadComplex& b) {
    re += b.re;
    im += b.im;
    return *this;
  }
  QuadComplex& operator-=(const QuadComplex& b) {
    re -= b.re;
    im -= b.im;
    return *this;
  }
  friend QuadComplex operator-(QuadComplex a, const QuadComplex& b) { return a -= b; }
  friend QuadComplex operator*(const QuadComplex& a, const QuadComplex& b) {
    QuadComplex product;
    product.re = a.re * b.re - a.im * b.im;
    product.im = a.re * b.im + a.im * b.re;
    return product;
  }
  friend QuadComplex operator/(const QuadComplex& a, const QuadComplex& b) {
    const __float128 square = b.re * b.re + b.im * b.im;
    QuadComplex inverse;
    inverse.re = b.re / square;
    inverse.im = -b.im / square;
    return a * inverse;
  }
};

/// Solves a dense system, `matrix` by rows, by elimination with partial pivoting.
inline std::vector<QuadComplex> dense_solve(std::vector<QuadComplex> matrix, std::vector<QuadComplex> x) {
  const std::size_t size = x.size();
  const auto at = [&](std::size_t i, std::size_t j) -> QuadComplex& { return matrix[i * size + j]; };
  for (std::size_t k = 0; k < size; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < size; ++i) {
      if (std::abs(std::complex<double>(at(i, k))) > std::abs(std::complex<double>(at(pivot, k)))) pivot = i;
    }
    for (std::size_t j = k; j < size; ++j) std::swap(at(k, j), at(pivot, j));
    std::swap(x[k], x[pivot]);
    for (std::size_t i = k + 1; i < size; ++i) {
      if (at(i, k).re == 0 && at(i, k).im == 0) continue;
      const QuadComplex factor = at(i, k) / at(k, k);
      for (std::size_t j = k + 1; j < size; ++j) at(i, j) -= factor * at(k, j);
      x[i] -= factor * x[k];
    }
  }
  for (std::size_t k = size; k-- > 0;) {
    for (std::size_t j = k + 1; j < size; ++j) x[k] -= at(k, j) * x[j];
    x[k] = x[k] / at(k, k);
  }
  return x;
}

}  // namespace sojourn::oracle
