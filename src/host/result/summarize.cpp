#include <algorithm>
#include <cmath>
#include <limits>

#include "expects.hpp"
#include "result/parameter_summary.hpp"
#include "sojourn/result.hpp"

namespace sojourn {

double quantile_of_sorted(std::span<const double> sorted, double p) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double fraction = position - static_cast<double>(below);
  // Equal neighbours (infinite ones too) must not turn into inf - inf.
  if (fraction == 0 || sorted[below] == sorted[below + 1]) return sorted[below];
  return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

ParameterSummary summarize_values(std::span<const double> values) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  ParameterSummary summary{};
  summary.mean = summary.sd = kNaN;
  summary.q025 = summary.q05 = summary.q25 = summary.q50 = summary.q75 = summary.q95 = summary.q975 = kNaN;
  // Order statistics mean nothing with a NaN among the values.
  if (values.empty() || !std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
    return summary;
  }
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value / n;
  summary.mean = sum;
  if (values.size() > 1) {
    double squares = 0, rest = 0;
    for (const double value : values) {
      squares += (value - sum) * (value - sum);
      rest += value - sum;
    }
    // The second term takes back the rounding of the mean (Chan, Golub and LeVeque 1983).
    summary.sd = std::sqrt(std::max(0.0, (squares - rest * rest / n) / (n - 1)));
  }
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  summary.q025 = quantile_of_sorted(sorted, 0.025);
  summary.q05 = quantile_of_sorted(sorted, 0.05);
  summary.q25 = quantile_of_sorted(sorted, 0.25);
  summary.q50 = quantile_of_sorted(sorted, 0.5);
  summary.q75 = quantile_of_sorted(sorted, 0.75);
  summary.q95 = quantile_of_sorted(sorted, 0.95);
  summary.q975 = quantile_of_sorted(sorted, 0.975);
  return summary;
}

Matrix<double> natural_particles(const Posterior& posterior, const SvgdResult& svgd) {
  const auto& free = posterior.free();
  SOJOURN_EXPECTS(svgd.particles.num_cols() == free.size(), ShapeError,
                  "particles have {} columns, the posterior has {} free parameters", svgd.particles.num_cols(),
                  free.size());
  Matrix<double> natural(svgd.particles.num_rows(), free.size());
  for (std::size_t i = 0; i < natural.num_rows(); ++i) {
    for (std::size_t k = 0; k < free.size(); ++k) natural(i, k) = free[k].transform.to_natural(svgd.particles(i, k));
  }
  return natural;
}

std::vector<ParameterSummary> summarize(const Posterior& posterior, const SvgdResult& svgd) {
  const Matrix<double> natural = natural_particles(posterior, svgd);
  std::vector<ParameterSummary> summaries;
  std::vector<double> values(natural.num_rows());
  for (std::size_t k = 0; k < natural.num_cols(); ++k) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = natural(i, k);
    ParameterSummary summary = summarize_values(values);
    const Posterior::Free& free = posterior.free()[k];
    summary.name = free.name;
    summary.prior = free.prior.describe();
    summary.transform = free.transform.describe();
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace sojourn
