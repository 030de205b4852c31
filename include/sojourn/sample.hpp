#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sojourn/matrix_view.hpp"
#include "sojourn/model.hpp"

namespace sojourn {

/// Independent draws of gathered rewards, [num_draws, rewards]; draw i depends on (seed, i) alone.
/// Cost: jumps of the chain per draw, OpenMP over draws. @throws UsageError, NumericalError (negative weight).
Matrix<double> sample(const Model& model, std::span<const double> theta,
                      const std::vector<std::span<const double>>& rewards, std::int64_t num_draws, std::uint64_t seed,
                      int num_threads = 0);

}  // namespace sojourn
