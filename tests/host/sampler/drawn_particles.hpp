#pragma once

#include "common/random.hpp"
#include "sampler/particle_block.hpp"

namespace sojourn::testing {

/// Standard normal particles with scores of size three, in places that the stream decides.
inline void draw_particles(PhiloxStream& stream, ParticleBlock& u, ParticleBlock& s) {
  for (std::int64_t i = 0; i < u.count; ++i)
    for (std::int32_t c = 0; c < u.dim; ++c) {
      u.at(i, c) = stream.next_normal();
      s.at(i, c) = 3 * stream.next_normal();
    }
  u.pad();
}

}  // namespace sojourn::testing
