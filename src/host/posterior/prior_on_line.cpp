#include "posterior/prior_on_line.hpp"

#include <algorithm>
#include <cmath>

namespace sojourn {
namespace {

/// theta * d log p / d theta for theta > 0.
double elasticity(const Prior& prior, double theta) {
  const double a = prior.a(), b = prior.b();
  switch (prior.family()) {
    case PriorFamily::kLognormal:
      return -1 - (std::log(theta) - a) / b / b;
    case PriorFamily::kGamma:
      return (a - 1) - b * theta;
    case PriorFamily::kHalfCauchy: {
      const double inverse = a / theta;
      return -2 / (1 + inverse * inverse);
    }
    default:
      return theta * prior.score(theta);
  }
}

/// Of the beta law on all of (0, 1), theta = 1 / (1 + exp(-z)): near 1 theta itself cannot hold 1 - theta.
LineDensity beta_on_line(double a, double b, double z) {
  const auto softplus = [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); };
  const double theta = std::exp(-softplus(-z)), rest = std::exp(-softplus(z));
  const double constant = Prior(PriorFamily::kBeta, a, b).log_density(0.5) + (a + b - 2) * std::log(2.0);
  return {constant - a * softplus(-z) - b * softplus(z), a * rest - b * theta};
}

}  // namespace

LineDensity prior_on_line(const Prior& prior, const Transform& transform, double log_mass, double z) {
  if (prior.family() == PriorFamily::kBeta && transform.lower() == 0 && transform.upper() == 1)
    return beta_on_line(prior.a(), prior.b(), z);
  const double theta = transform.to_natural(z);
  const double value = prior.log_density(theta) + transform.log_jacobian(z) - log_mass;
  const double by_theta = transform.kind() == Transform::Kind::kLog && transform.lower() == 0
                              ? elasticity(prior, theta)
                              : prior.score(theta) * transform.derivative(z);
  return {value, by_theta + transform.log_jacobian_derivative(z)};
}

double log_prior_mass(const Prior& prior, double lower, double upper) {
  if (lower <= prior.lower() && upper >= prior.upper()) return 0;
  // A difference of tails on the side where both are at most a half.
  const double below = prior.cdf(lower), above = prior.survival(upper);
  if (below > 0.5) return std::log(prior.survival(lower) - above);
  if (above > 0.5) return std::log(prior.cdf(upper) - below);
  return std::log1p(-(below + above));
}

double truncated_quantile(const Prior& prior, double lower, double upper, double p) {
  const double below = prior.cdf(lower), above = prior.survival(upper);
  double theta = 0;
  if (below > 0.5) {
    theta = prior.upper_quantile(std::clamp(prior.survival(lower) * (1 - p) + above * p, 1e-300, 1 - 0x1p-53));
  } else if (above > 0.5) {
    theta = prior.quantile(std::clamp(below * (1 - p) + prior.cdf(upper) * p, 1e-300, 1 - 0x1p-53));
  } else {
    const double cdf = below * (1 - p) + (1 - above) * p, survival = (1 - below) * (1 - p) + above * p;
    theta = cdf <= 0.5 ? prior.quantile(std::max(cdf, 1e-300)) : prior.upper_quantile(std::max(survival, 1e-300));
  }
  if (theta <= lower) return lower == 0 ? std::numeric_limits<double>::min() : std::nextafter(lower, upper);
  return theta >= upper ? std::nextafter(upper, lower) : theta;
}

}  // namespace sojourn
