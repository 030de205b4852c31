#pragma once

#include <cstdint>

#include "sojourn/prc.hpp"

namespace sojourn::cli {

/// Refuses an evaluation whose replays cannot fit, before it starts; with gradient where they would not fit by
/// differences, which the parameters decide. Other quantities take at least what a mean does.
/// @throws ModelError naming what is needed, what is left and the way out.
void expect_replays_fit(const PrcCost& cost, std::int64_t num_vectors, bool gradient, int num_threads);

}  // namespace sojourn::cli
