#include "result/density_estimate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "result/parameter_summary.hpp"

namespace sojourn {

namespace {

constexpr std::size_t kMaxDraws = 20'000;

double bandwidth_of(const ParameterSummary& summary, std::size_t num_values) {
  const double iqr = (summary.q75 - summary.q25) / 1.34;
  const double spread = iqr > 0 ? std::min(summary.sd, iqr) : summary.sd;
  return 0.9 * spread * std::pow(static_cast<double>(num_values), -0.2);
}

}  // namespace

DensityCurve density_curve(const ParameterFacts& parameter, int num_points) {
  DensityCurve curve;
  const std::size_t n = parameter.unconstrained.size();
  const std::size_t num_draws = std::min(n, kMaxDraws);
  std::vector<double> z(num_draws);
  for (std::size_t i = 0; i < num_draws; ++i) z[i] = parameter.unconstrained[i * n / num_draws];
  const ParameterSummary summary = summarize_values(z);
  const double bandwidth = bandwidth_of(summary, num_draws);
  if (!(bandwidth > 0) || !std::isfinite(bandwidth)) return curve;

  std::sort(z.begin(), z.end());
  const double lower = parameter.to_natural(quantile_of_sorted(z, 0.005) - 1.5 * bandwidth);
  const double upper = parameter.to_natural(quantile_of_sorted(z, 0.995) + 1.5 * bandwidth);
  if (!(upper > lower) || !std::isfinite(upper)) return curve;
  const double norm = 1 / (bandwidth * std::sqrt(2 * std::numbers::pi) * static_cast<double>(num_draws));
  for (int k = 0; k < num_points; ++k) {
    const double theta = lower + (upper - lower) * k / (num_points - 1);
    // The ends of a narrow support may round onto it; a hair inside they have an image.
    const double inside = std::clamp(theta, std::nextafter(lower, upper), std::nextafter(upper, lower));
    const double at = parameter.to_unconstrained(inside);
    double sum = 0;
    // Beyond 8 bandwidths a term is below 1e-14 of its peak.
    for (auto draw = std::lower_bound(z.begin(), z.end(), at - 8 * bandwidth); draw != z.end(); ++draw) {
      const double distance = (at - *draw) / bandwidth;
      if (distance < -8) break;
      sum += std::exp(-0.5 * distance * distance);
    }
    curve.x.push_back(theta);
    curve.posterior.push_back(norm * sum * std::exp(-parameter.log_jacobian(at)));
    curve.prior.push_back(std::exp(parameter.log_prior(inside)));
  }
  return curve;
}

}  // namespace sojourn
