#pragma once

#include <functional>

#include "sampler/particle_block.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// phi in whitened coordinates from whitened particles, whitened scores and 1/h^2.
using DirectionFunction =
    std::function<void(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi)>;

/// The loop of `svgd` with another direction: the seam by which tests show that a wrong direction is caught.
SvgdResult run_svgd(const Target& target, const SvgdOptions& options, const SvgdProgressFunction& progress,
                    const DirectionFunction& direction);

}  // namespace sojourn
