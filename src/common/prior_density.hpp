#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/host_device.hpp"
#include "common/line_transform.hpp"

/// Log densities of priors and their derivatives, for host and device; see `Prior` for the families' values a and b.
namespace sojourn::prior_density {

enum class Family : std::int32_t { kNormal, kLognormal, kGamma, kHalfCauchy, kBeta, kUniform, kExponential };

/// x log y with 0 log 0 = 0, as the limit of a density at the end of its support.
SOJOURN_HD inline double x_log_y(double x, double y) { return x == 0 ? 0 : x * std::log(y); }

/// log p(theta) inside the support without what does not depend on theta.
SOJOURN_HD inline double varying_part(Family family, double a, double b, double theta) {
  switch (family) {
    case Family::kNormal: {
      const double z = (theta - a) / b;
      return -0.5 * z * z;
    }
    case Family::kLognormal: {
      if (theta == 0) return -std::numeric_limits<double>::infinity();
      const double log_theta = std::log(theta), z = (log_theta - a) / b;
      return -0.5 * z * z - log_theta;
    }
    case Family::kGamma:
      return x_log_y(a - 1, theta) - b * theta;
    case Family::kHalfCauchy:
      return -2 * std::log(std::hypot(1.0, theta / a));
    case Family::kBeta:
      return x_log_y(a - 1, theta) + (b == 1 ? 0 : (b - 1) * std::log1p(-theta));
    case Family::kUniform:
      return 0;
    case Family::kExponential:
      return -a * theta;
  }
  return 0;
}

/// d log p / d theta inside the support.
SOJOURN_HD inline double score(Family family, double a, double b, double theta) {
  switch (family) {
    case Family::kNormal:
      return -(theta - a) / b / b;
    case Family::kLognormal:
      return -(1 + (std::log(theta) - a) / b / b) / theta;
    case Family::kGamma:
      return (a == 1 ? 0 : (a - 1) / theta) - b;
    case Family::kHalfCauchy:
      return -2 / a / (theta / a + a / theta);
    case Family::kBeta:
      return (a == 1 ? 0 : (a - 1) / theta) - (b == 1 ? 0 : (b - 1) / (1 - theta));
    case Family::kUniform:
      return 0;
    case Family::kExponential:
      return -a;
  }
  return 0;
}

/// theta * d log p / d theta for theta > 0, where theta alone may be too small or too large for the score.
SOJOURN_HD inline double elasticity(Family family, double a, double b, double theta) {
  switch (family) {
    case Family::kLognormal:
      return -1 - (std::log(theta) - a) / b / b;
    case Family::kGamma:
      return (a - 1) - b * theta;
    case Family::kHalfCauchy: {
      const double inverse = a / theta;
      return -2 / (1 + inverse * inverse);
    }
    default:
      return theta * score(family, a, b, theta);
  }
}

/// A prior on the unconstrained line of a parameter.
struct LinePrior {
  Family family = Family::kNormal;
  double a = 0, b = 1;
  double constant = 0;  ///< what `varying_part` leaves out, less the log of the prior's mass on the support
  line_transform::Support support;
};

/// A log density on the line and its derivative.
struct LineDensity {
  double value;
  double derivative;
};

/// log p(theta(z)) + log |d theta/d z| and its derivative by z. Products of the score with d theta/d z are formed in
/// one expression, so that neither overflows at an end of the support for |z| <= 700. A theta that is not finite has
/// the value -inf or NaN, and a derivative that is none.
SOJOURN_HD inline LineDensity on_line(const LinePrior& prior, double z) {
  using line_transform::softplus;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double a = prior.a, b = prior.b;
  const line_transform::Support& support = prior.support;
  if (prior.family == Family::kBeta && support.lower == 0 && support.upper == 1) {
    // theta = 1 / (1 + exp(-z)): near 1 theta itself cannot hold 1 - theta.
    const double below = softplus(-z), above = softplus(z);
    return {prior.constant - a * below - b * above, a * std::exp(-above) - b * std::exp(-below)};
  }
  const double theta = line_transform::to_natural(support, z);
  if (!(std::abs(theta) <= std::numeric_limits<double>::max()))
    return {theta != theta ? theta : -kInfinity, theta - theta};
  const double value =
      varying_part(prior.family, a, b, theta) + prior.constant + line_transform::log_jacobian(support, z);
  const double by_theta = support.kind == line_transform::Kind::kLog && support.lower == 0
                              ? elasticity(prior.family, a, b, theta)
                              : score(prior.family, a, b, theta) * line_transform::derivative(support, z);
  return {value, by_theta + line_transform::log_jacobian_derivative(support, z)};
}

}  // namespace sojourn::prior_density
