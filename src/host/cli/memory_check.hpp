#pragma once

#include <cstdint>

#include "sojourn/prc.hpp"

namespace sojourn::cli {

/// Bytes that replays of a mean hold at once for a batch of `num_vectors` parameter vectors on `num_threads` threads:
/// each thread works on one block of vectors, few or many wide. `bytes_per_vector` as `CostPrediction` has them.
double replay_bytes(std::int64_t bytes_per_vector, std::int64_t num_vectors, int num_threads);

/// Refuses an evaluation whose replays cannot fit, before it starts. Other quantities take at least what a mean does.
/// @throws ModelError naming what is needed, what is left and the way out.
void expect_replays_fit(const PrcCost& cost, std::int64_t num_vectors, bool gradient, int num_threads);

}  // namespace sojourn::cli
