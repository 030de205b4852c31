#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "oracle/zoo.hpp"

namespace sojourn::oracle {

/// Chains with 1..4 rates drawn as 10^U(-spread, spread): dense, sparse with long paths, with or without links both
/// ways, some with exits so small that a component is visited up to 1e14 times.
inline ZooChain visited_chain(std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return static_cast<double>(bits() >> 11) * 0x1p-53; };
  const auto num_states = static_cast<std::int32_t>(3 + 40 * uniform());
  const auto num_rates = static_cast<std::int32_t>(1 + 4 * uniform());
  const double spread = 4 * uniform();
  const bool two_way = uniform() < 0.4;
  const double density = (0.05 + 0.95 * uniform() * uniform()) * (two_way ? 0.1 : 1);
  const double exits = uniform() < 0.3 ? std::pow(10.0, -14 * uniform()) : 1;
  StateGraphBuilder builder(TimeKind::kContinuous, num_rates);
  builder.ensure_states(num_states + 1);
  const auto add = [&](std::int32_t from, std::int32_t to) {
    const double coefficient = std::pow(10.0, spread * (2 * uniform() - 1)) * (to == num_states ? exits : 1);
    edge(builder, from, to, 0, {{static_cast<std::int32_t>(num_rates * uniform()), coefficient}});
  };
  for (std::int32_t i = 0; i < num_states; ++i) {
    add(i, i + 1);
    const bool back = two_way && i > 0;
    if (back) add(i, i - 1);
    for (std::int32_t j = 0; j <= num_states; ++j) {
      if (j != i && j != i + 1 && !(back && j == i - 1) && uniform() < density) add(i, j);
    }
  }
  builder.add_initial(0, 1);
  std::vector<double> phi;
  for (std::int32_t r = 0; r < num_rates; ++r) phi.push_back(std::pow(10.0, spread * (2 * uniform() - 1)));
  return finish("random_" + std::to_string(seed), std::move(builder), std::move(phi), false);
}

}  // namespace sojourn::oracle
