#pragma once

#include "sampler/particle_block.hpp"

namespace sojourn {

/// Bandwidth h of the median heuristic in whitened coordinates: h^2 = median |u_i - u_j|^2 / (2 log(n + 1)) over the
/// pairs of the first 1000 particles of an evenly spaced subset. 0 when more than half of the pairs coincide.
double median_bandwidth_of(const ParticleBlock& u);

}  // namespace sojourn
