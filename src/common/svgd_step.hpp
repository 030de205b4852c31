#pragma once

#include <cmath>
#include <cstdint>

#include "common/host_device.hpp"

/// Step sizes of SVGD and Adam's rule, for host and device.
namespace sojourn::svgd_step {

enum class Decay : std::int32_t { kConstant, kExponential, kWarmup };

struct Schedule {
  Decay decay = Decay::kConstant;
  double rate = 0, factor = 1;  ///< `factor` of each iteration with kExponential
  std::int64_t warmup = 0;      ///< iterations with kWarmup
};

SOJOURN_HD inline double rate_at(const Schedule& schedule, std::int64_t iteration) {
  if (schedule.decay == Decay::kExponential) {
    const double fallen = std::pow(schedule.factor, static_cast<double>(iteration));
    return schedule.rate * (fallen > 1e-3 ? fallen : 1e-3);
  }
  if (schedule.decay == Decay::kWarmup && iteration < schedule.warmup)
    return schedule.rate * static_cast<double>(iteration + 1) / static_cast<double>(schedule.warmup);
  return schedule.rate;
}

/// Metric and bandwidth follow the particles at each of the first iterations and then now and then.
SOJOURN_HD inline bool refreshes_metric(std::int64_t iteration) { return iteration < 20 || iteration % 10 == 0; }

struct Adam {
  double beta1 = 0, beta2 = 0;
  bool reaches = false;  ///< coordinates further out than two sds move in proportion to their distance
};

/// 1 - beta^(iteration + 1), for the first moment and the second.
SOJOURN_HD inline double correction_at(double beta, std::int64_t iteration) {
  return 1 - std::pow(beta, static_cast<double>(iteration + 1));
}

/// The step of one coordinate at `u` along `g`; carries the moments on.
SOJOURN_HD inline double adam_step(const Adam& adam, double rate, double correction1, double correction2, double u,
                                   double g, double& m, double& v) {
  constexpr double kEpsilon = 1e-8;
  m = adam.beta1 * m + (1 - adam.beta1) * g;
  v = adam.beta2 * v + (1 - adam.beta2) * g * g;
  const double far = 0.5 * std::abs(u);
  const double reach = adam.reaches && far > 1.0 ? far : 1.0;
  return reach * rate * (m / correction1) / (std::sqrt(v / correction2) + kEpsilon);
}

}  // namespace sojourn::svgd_step
