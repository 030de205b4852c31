#include "sojourn/prior_factor.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>

#include "expects.hpp"

namespace sojourn {

PosteriorWithFactor::PosteriorWithFactor(const Posterior& posterior, LogPriorFactor log_factor)
    : posterior_(posterior), log_factor_(std::move(log_factor)) {
  SOJOURN_EXPECTS(log_factor_ != nullptr, UsageError, "log_factor: no function; give one, or use the posterior alone");
}

std::string PosteriorWithFactor::add(std::span<const double> z, double& log_density, std::span<double> score) const {
  const std::vector<Posterior::Free>& free = posterior_.free();
  std::vector<double> theta(z.size()), slope(score.size());
  for (std::size_t j = 0; j < z.size(); ++j) theta[j] = free[j].transform.to_natural(z[j]);
  const auto place = [&] {
    std::string text;
    for (std::size_t j = 0; j < theta.size(); ++j)
      text += fmt::format("{}{} = {}", j == 0 ? "" : ", ", free[j].name, theta[j]);
    return text;
  };
  try {
    const double value = log_factor_(theta, slope);
    if (!std::isfinite(value)) return fmt::format("the log of the prior's own factor is {} at {}", value, place());
    log_density += value;
  } catch (const std::exception& error) {
    return fmt::format("the prior's own factor at {}: {}", place(), error.what());
  }
  for (std::size_t j = 0; j < score.size(); ++j) {
    score[j] += slope[j] * free[j].transform.derivative(z[j]);
    if (!std::isfinite(score[j]))
      return fmt::format("the derivative by {} of the prior's own factor is {} at {}", free[j].name, slope[j], place());
  }
  return {};
}

void PosteriorWithFactor::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                                   std::vector<std::string>& status) const {
  posterior_.evaluate(z, log_density, score, status);
  const auto count = static_cast<std::int64_t>(z.num_rows());
#pragma omp parallel for schedule(static)
  for (std::int64_t k = 0; k < count; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (!status[i].empty()) continue;
    const std::span<double> row = score.empty() ? std::span<double>() : score.row(i);
    status[i] = add(z.row(i), log_density[i], row);
    if (status[i].empty()) continue;
    log_density[i] = std::numeric_limits<double>::quiet_NaN();
    std::ranges::fill(row, std::numeric_limits<double>::quiet_NaN());
  }
}

std::unique_ptr<DeviceCloud> PosteriorWithFactor::cloud_on_device(const SvgdOptions& /*options*/,
                                                                  std::string& why_not) const {
  why_not = posterior_.device_report().name.empty() ? "" : "the prior has a factor of its own, which the CPU evaluates";
  return nullptr;
}

}  // namespace sojourn
