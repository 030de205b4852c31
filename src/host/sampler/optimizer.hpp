#pragma once

#include <cstdint>

#include "common/svgd_step.hpp"
#include "sampler/particle_block.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// The schedule of a run's step sizes.
inline svgd_step::Schedule schedule_of(const SvgdOptions& options) {
  static_assert(static_cast<int>(ScheduleKind::kWarmup) == static_cast<int>(svgd_step::Decay::kWarmup));
  return {static_cast<svgd_step::Decay>(options.schedule), options.learning_rate, options.decay,
          options.warmup_iterations};
}

inline svgd_step::Adam adam_of(const SvgdOptions& options) { return {options.beta1, options.beta2, options.whiten}; }

/// Turns directions into steps, in whitened coordinates, so that the learning rate counts in posterior sds: replaces
/// the direction `phi` of iteration `iteration` (from 0) by the step to take from `u`.
/// Adam (Kingma, Ba 2015) with bias correction, or rate * phi. In whitened coordinates an Adam step is at most about
/// the rate, in sds of the cloud; a coordinate further out than two sds moves in proportion to its distance, else a
/// straggler of a wide start would come home ever slower while the cloud shrinks.
/// Adam's moments [d, n] are carried from one iteration to the next, and begin with zeros.
void apply_step_rule(const SvgdOptions& options, std::int64_t iteration, const ParticleBlock& u,
                     Matrix<double>& first_moment, Matrix<double>& second_moment, ParticleBlock& phi);

}  // namespace sojourn
