#pragma once

#include <cstdint>

#include "sojourn/prc.hpp"

namespace sojourn {

/// Bytes that replays of a mean hold at once for `num_vectors` parameter vectors on `num_threads` threads, each of
/// which works on one block of vectors, few or many wide.
struct ReplaysHeld {
  double value = 0;
  double gradient = 0;     ///< without vectors that fall back on differences
  double differences = 0;  ///< with gradient where all do so; no less than `gradient`
};
ReplaysHeld replays_held(const ReplayBytes& bytes, std::int64_t num_vectors, int num_threads);

}  // namespace sojourn
