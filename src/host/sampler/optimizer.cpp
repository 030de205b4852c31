#include "sampler/optimizer.hpp"

#include <algorithm>
#include <cmath>

namespace sojourn {

double learning_rate_at(const SvgdOptions& options, std::int64_t iteration) {
  switch (options.schedule) {
    case ScheduleKind::kConstant:
      return options.learning_rate;
    case ScheduleKind::kExponential:
      return options.learning_rate * std::max(1e-3, std::pow(options.decay, static_cast<double>(iteration)));
    case ScheduleKind::kWarmup:
      if (iteration >= options.warmup_iterations) return options.learning_rate;
      return options.learning_rate * static_cast<double>(iteration + 1) /
             static_cast<double>(options.warmup_iterations);
  }
  return options.learning_rate;
}

void apply_step_rule(const SvgdOptions& options, std::int64_t iteration, const ParticleBlock& u,
                     Matrix<double>& first_moment, Matrix<double>& second_moment, ParticleBlock& phi) {
  const double rate = learning_rate_at(options, iteration);
  if (options.optimizer == Optimizer::kGradient) {
    for (double& value : phi.values) value *= rate;
    return;
  }
  constexpr double kEpsilon = 1e-8;
  const auto power = static_cast<double>(iteration + 1);
  const double correction1 = 1 - std::pow(options.beta1, power);
  const double correction2 = 1 - std::pow(options.beta2, power);
  for (std::int32_t c = 0; c < phi.dim; ++c)
    for (std::int64_t i = 0; i < phi.count; ++i) {
      double& m = first_moment(c, i);
      double& v = second_moment(c, i);
      const double g = phi.at(i, c);
      m = options.beta1 * m + (1 - options.beta1) * g;
      v = options.beta2 * v + (1 - options.beta2) * g * g;
      const double reach = options.whiten ? std::max(1.0, 0.5 * std::abs(u.at(i, c))) : 1.0;
      phi.at(i, c) = reach * rate * (m / correction1) / (std::sqrt(v / correction2) + kEpsilon);
    }
}

}  // namespace sojourn
