#include "sampler/optimizer.hpp"

namespace sojourn {

double learning_rate_at(const SvgdOptions& options, std::int64_t iteration) {
  return svgd_step::rate_at(schedule_of(options), iteration);
}

void apply_step_rule(const SvgdOptions& options, std::int64_t iteration, const ParticleBlock& u,
                     Matrix<double>& first_moment, Matrix<double>& second_moment, ParticleBlock& phi) {
  const double rate = learning_rate_at(options, iteration);
  if (options.optimizer == Optimizer::kGradient) {
    for (double& value : phi.values) value *= rate;
    return;
  }
  const svgd_step::Adam adam = adam_of(options);
  const double correction1 = svgd_step::correction_at(options.beta1, iteration);
  const double correction2 = svgd_step::correction_at(options.beta2, iteration);
  for (std::int32_t c = 0; c < phi.dim; ++c)
    for (std::int64_t i = 0; i < phi.count; ++i)
      phi.at(i, c) = svgd_step::adam_step(adam, rate, correction1, correction2, u.at(i, c), phi.at(i, c),
                                          first_moment(c, i), second_moment(c, i));
}

}  // namespace sojourn
