#pragma once

#include <functional>

#include "sampler/particle_block.hpp"
#include "sampler/watched_target.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// phi in whitened coordinates from whitened particles, whitened scores and 1/h^2.
using DirectionFunction =
    std::function<void(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi)>;

/// The loop of `svgd` with another direction, by which ranks share its rows and tests show that a wrong one is caught.
/// The clock decides when `control.progress` is called: ranks need a common one. `num_ranks` evaluate a batch of the
/// target.
SvgdResult run_svgd(const Target& target, const SvgdOptions& options, const SvgdControl& control,
                    const DirectionFunction& direction, const ClockFunction& clock = local_clock, int num_ranks = 1);

}  // namespace sojourn
