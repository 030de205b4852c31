#pragma once

#include <cmath>

#include "common/host_device.hpp"
#include "common/prc_number.hpp"

/// Sums of products whose terms may cancel: linear forms like 1 - p, or a - b, of which every digit that is left
/// counts, as all that follows only adds positive numbers.
namespace sojourn {

/// a b and what its rounding lost: a b = product + `lost` exactly. Written by `fma`, which no compiler fuses further.
SOJOURN_HD inline double exact_product(double a, double b, double& lost) {
  const double product = std::fma(a, b, 0.0);
  lost = std::fma(a, b, -product);
  return product;
}

/// In arithmetic of which nothing needs to be made up for.
template <class Real>
class FormSum {
 public:
  template <class Value>
  SOJOURN_HD void add(double coefficient, const Value& value) {
    add_product(sum_, coefficient, Real(value));
  }
  [[nodiscard]] SOJOURN_HD Real value() const { return sum_; }

 private:
  Real sum_{0.0};
};

/// A sum in three parts of decreasing size: exact as far as three doubles reach, then rounded once (Ogita, Rump and
/// Oishi 2005, DotK with K = 3). Its relative error is below 2^-52 unless fewer than 2^-100 of its terms are left.
template <class Real>
class LongSum {
 public:
  SOJOURN_HD void add(double coefficient, const Real& value) {
    Real lost(0.0);
    const Real product = exact_product(coefficient, value, lost);
    third_ = third_ + add_exactly(second_, add_exactly(first_, product)) + add_exactly(second_, lost);
  }
  [[nodiscard]] SOJOURN_HD Real value() const {
    Real first = first_;
    const Real lost = add_exactly(first, second_);
    return first + (lost + third_);
  }

 private:
  /// sum += term; returns what the rounding lost (Knuth).
  SOJOURN_HD static Real add_exactly(Real& sum, const Real& term) {
    const Real before = sum;
    sum = before + term;
    const Real of_term = sum - before;
    return (before - (sum - of_term)) + (term - of_term);
  }

  Real first_{0.0}, second_{0.0}, third_{0.0};
};

template <>
class FormSum<double> : public LongSum<double> {};

}  // namespace sojourn
