#include "posterior/prior_on_line.hpp"

#include <algorithm>
#include <cmath>

namespace sojourn {
prior_density::LinePrior line_prior(const Prior& prior, const Transform& transform, double log_mass) {
  return {lane_family(prior.family()),
          prior.a(),
          prior.b(),
          log_density_constant(prior) - log_mass,
          {static_cast<line_transform::Kind>(transform.kind()), transform.lower(), transform.upper()}};
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
