#pragma once

#include <cstdint>

#include "sampler/particle_block.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// Turns directions into steps, in whitened coordinates, so that the learning rate counts in posterior sds.
class StepRule {
 public:
  StepRule(const SvgdOptions& options, std::int64_t num_particles, std::int32_t dimension);
  /// Replaces the direction `phi` of iteration `iteration` (from 0) by the step to take.
  /// Adam (Kingma, Ba 2015) with bias correction, or rate * phi.
  void apply(std::int64_t iteration, ParticleBlock& phi);

 private:
  const SvgdOptions& options_;
  ParticleBlock first_moment_, second_moment_;
};

}  // namespace sojourn
