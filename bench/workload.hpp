#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/random.hpp"
#include "sojourn/matrix_view.hpp"

namespace sojourn::bench {

/// Particles scattered about `centre` [P] as a posterior would be: log-normal with standard deviation `spread`. [K, P].
inline Matrix<double> scattered_particles(std::span<const double> centre, double spread, std::size_t num_particles,
                                          std::uint64_t seed = 1) {
  Matrix<double> theta(num_particles, centre.size());
  for (std::size_t k = 0; k < num_particles; ++k) {
    PhiloxStream random(seed, kStreamInitial, k);
    for (std::size_t p = 0; p < centre.size(); ++p) theta(k, p) = centre[p] * std::exp(spread * random.next_normal());
  }
  return theta;
}

/// Takes `--quick` out of the arguments: a fiftieth of the work, to see that a benchmark runs.
inline bool take_quick_flag(int& argc, char** argv) {
  char** const end = std::remove_if(argv, argv + argc, [](char* text) { return std::string_view(text) == "--quick"; });
  const bool found = end != argv + argc;
  argc = static_cast<int>(end - argv);
  return found;
}

/// Counts `num_items` per iteration as a rate of the measured (processor) time.
inline void count_rate(benchmark::State& state, const char* name, std::size_t num_items) {
  state.counters[name] = benchmark::Counter(static_cast<double>(num_items) * static_cast<double>(state.iterations()),
                                            benchmark::Counter::kIsRate);
}

}  // namespace sojourn::bench
