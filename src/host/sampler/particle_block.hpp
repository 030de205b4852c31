#pragma once

#include <cstdint>
#include <vector>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// Particles with the particle index minor: coordinate c of particle i at `values[c * stride + i]`. The stride is a
/// multiple of the lane count; padding holds copies of the last particle, so that a lane block needs no remainder code.
struct ParticleBlock {
  static constexpr int kLanes = 16;

  ParticleBlock() = default;
  ParticleBlock(std::int64_t num_particles, std::int32_t dimension)
      : count(num_particles),
        dim(dimension),
        stride((num_particles + kLanes - 1) / kLanes * kLanes),
        values(static_cast<std::size_t>(stride) * static_cast<std::size_t>(dimension), 0.0) {}

  double& at(std::int64_t particle, std::int32_t c) { return values[static_cast<std::size_t>(c * stride + particle)]; }
  [[nodiscard]] double at(std::int64_t particle, std::int32_t c) const {
    return values[static_cast<std::size_t>(c * stride + particle)];
  }
  void pad() {
    for (std::int32_t c = 0; c < dim; ++c)
      for (std::int64_t i = count; i < stride; ++i) at(i, c) = at(count - 1, c);
  }

  std::int64_t count = 0;
  std::int32_t dim = 0;
  std::int64_t stride = 0;
  std::vector<double> values;
};

}  // namespace sojourn
