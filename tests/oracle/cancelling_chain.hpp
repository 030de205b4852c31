#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "oracle/zoo.hpp"

namespace sojourn::oracle {

/// A chain of 1..8 states with weights c - d phi and c phi_0 - d phi_1, of which 10^-U(0, digits) is left, beside plain
/// ones.
inline ZooChain cancelling_chain(std::uint64_t seed, double digits) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return static_cast<double>(bits() >> 11) * 0x1p-53; };
  const auto num_states = static_cast<std::int32_t>(1 + 8 * uniform());
  const std::vector<double> phi{0.5 + uniform(), 0.5 + uniform()};
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(num_states + 1);
  for (std::int32_t i = 0; i < num_states; ++i) {
    const double left = std::pow(10.0, -digits * uniform()), weight = 0.5 + uniform();
    if (uniform() < 0.5) {
      edge(builder, i, i + 1, weight, {{1, -weight * (1 - left) / phi[1]}});
    } else {
      edge(builder, i, i + 1, 0, {{0, weight / phi[0]}, {1, -weight * (1 - left) / phi[1]}});
    }
    if (i > 0) edge(builder, i, i - 1, 0, {{0, 0.1 * uniform()}});
  }
  builder.add_initial(0, 1.0);
  return finish("cancelling_" + std::to_string(seed), std::move(builder), phi, false);
}

}  // namespace sojourn::oracle
