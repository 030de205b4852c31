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

StepRule::StepRule(const SvgdOptions& options, std::int64_t num_particles, std::int32_t dimension)
    : options_(options), first_moment_(num_particles, dimension), second_moment_(num_particles, dimension) {}

void StepRule::apply(std::int64_t iteration, const ParticleBlock& u, ParticleBlock& phi) {
  const double rate = learning_rate_at(options_, iteration);
  if (options_.optimizer == Optimizer::kGradient) {
    for (double& value : phi.values) value *= rate;
    return;
  }
  constexpr double kEpsilon = 1e-8;
  const auto power = static_cast<double>(iteration + 1);
  const double correction1 = 1 - std::pow(options_.beta1, power);
  const double correction2 = 1 - std::pow(options_.beta2, power);
  for (std::size_t k = 0; k < phi.values.size(); ++k) {
    double& m = first_moment_.values[k];
    double& v = second_moment_.values[k];
    const double g = phi.values[k];
    m = options_.beta1 * m + (1 - options_.beta1) * g;
    v = options_.beta2 * v + (1 - options_.beta2) * g * g;
    const double reach = options_.whiten ? std::max(1.0, 0.5 * std::abs(u.values[k])) : 1.0;
    phi.values[k] = reach * rate * (m / correction1) / (std::sqrt(v / correction2) + kEpsilon);
  }
}

}  // namespace sojourn
