#pragma once

#include <cmath>

#include "common/host_device.hpp"

/// The parts of a log likelihood that host and device compute alike.
namespace sojourn {

/// Neumaier's compensated sum: rounding does not grow with the number of observations.
class CompensatedSum {
 public:
  SOJOURN_HD void add(double x) {
    const double next = sum_ + x;
    rest_ += std::abs(sum_) >= std::abs(x) ? (sum_ - next) + x : (x - next) + sum_;
    sum_ = next;
  }
  [[nodiscard]] SOJOURN_HD double value() const { return sum_ + rest_; }

 private:
  double sum_ = 0, rest_ = 0;
};

/// log(1 - exp(-d)), d > 0. Source: Maechler (2012), "Accurately computing log(1 - exp(-|a|))".
SOJOURN_HD inline double log1m_exp(double d) {
  return d < 0.69314718055994531 ? std::log(-std::expm1(-d)) : std::log1p(-std::exp(-d));
}

/// An interval's probability as a difference of the two tails that are smaller.
struct IntervalDifference {
  bool by_cdf;       ///< F(u) - F(l), else S(l) - S(u)
  double log_large;  ///< log of the minuend
  double gap;        ///< log minuend - log subtrahend

  [[nodiscard]] SOJOURN_HD double log_probability() const { return log_large + log1m_exp(gap); }
  /// Derivatives of the log probability by the log values of minuend and subtrahend.
  [[nodiscard]] SOJOURN_HD double by_large() const { return -1 / std::expm1(-gap); }
  [[nodiscard]] SOJOURN_HD double by_small() const { return -1 / std::expm1(gap); }
};

SOJOURN_HD inline IntervalDifference smaller_difference(double log_survival_lower, double log_survival_upper,
                                                        double log_cdf_lower, double log_cdf_upper) {
  if (log_cdf_upper < log_survival_lower) return {true, log_cdf_upper, log_cdf_upper - log_cdf_lower};
  return {false, log_survival_lower, log_survival_lower - log_survival_upper};
}

/// Largest relative error an interval's probability may carry: error bound of the law times the interval's
/// cancellation.
inline constexpr double kIntervalTolerance = 1e-4;

/// A log likelihood near zero by cancellation is held to this part of its total weight: 1e-12 an observation by
/// default, about what rounding leaves of a log density.
inline constexpr double kLeastLikelihoodScale = 1e-3;

}  // namespace sojourn
