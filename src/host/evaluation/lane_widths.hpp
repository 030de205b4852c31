#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sojourn/info.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {

/// Lanes that replays have in work at a time, for vectors of `vector_lanes` numbers.
struct LaneWidths {
  int narrow;       ///< serves a few parameter vectors
  int wide;         ///< values
  int differences;  ///< gradients by differences keep more arrays alive and more numbers in registers
  /// Gradients by products. Twice as many take a tenth more time with AVX-512: solution and visits then leave less of
  /// the core's cache to the factors.
  int products;
  /// Where most multiply-adds belong to fronts: their tiles leave registers for two vectors a number, and the entries
  /// of a large component leave the core's cache the later, the fewer lanes there are.
  int fronts;
};
constexpr LaneWidths lane_widths(int vector_lanes) {
  return {vector_lanes, 8 * vector_lanes, 4 * vector_lanes, std::min(8 * vector_lanes, 32), 2 * vector_lanes};
}
/// Of the set in use.
inline LaneWidths lane_widths() {
  constexpr int kOfAvx512 = 8, kOfOthers = 4;
  return lane_widths(instruction_set() == InstructionSet::kAvx512 ? kOfAvx512 : kOfOthers);
}

/// Whether replays of so many parameter vectors take narrow blocks.
constexpr bool are_few(std::size_t num_vectors, int narrow) {
  return num_vectors <= 2 * static_cast<std::size_t>(narrow);
}

/// Differences of large models are narrow however many vectors there are: a block of them then holds no more than one
/// of the products before them, and lanes beyond one vector of numbers save little where no number stays in a cache.
inline constexpr std::int64_t kWideDifferenceBytes = 64 << 20;
constexpr bool are_differences_narrow(std::int64_t bytes_per_lane, const LaneWidths& widths) {
  return bytes_per_lane * widths.differences > kWideDifferenceBytes;
}

}  // namespace sojourn
