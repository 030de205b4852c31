#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "common/strided.hpp"
#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// Where a lane's slots stand, as on a device: in a block's shared memory, in the global memory of resident lanes, or
/// its rates and factors in the first and its solutions in the second.
enum class Place { kShared, kSharedFactors, kGlobal };

/// Runs a device's thread body by a host loop, blocks in shuffled order, each thread lane after lane as far apart as
/// there are resident ones: body(lane, local, solution). Of a lane's `num_slots` the first `num_local` are rates and
/// factors. Slots are `nothing` (not a number) at first, so that nothing is read before it is written.
template <class Number, class Body>
void for_each_lane_shuffled(std::int64_t num_lanes, std::int64_t num_slots, std::int64_t num_local, Place place,
                            const Number& nothing, unsigned seed, Body&& body) {
  constexpr std::int64_t kLanesPerBlock = 8, kResidentBlocks = 3, kResident = kLanesPerBlock * kResidentBlocks;
  std::vector<std::int64_t> blocks(kResidentBlocks);
  for (std::int64_t b = 0; b < kResidentBlocks; ++b) blocks[b] = b;
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937(seed));
  std::vector<Number> global(static_cast<std::size_t>(num_slots * kResident), nothing);
#pragma omp parallel for
  for (const std::int64_t block : blocks) {
    std::vector<Number> shared(static_cast<std::size_t>(num_slots * kLanesPerBlock), nothing);
    for (std::int64_t thread = 0; thread < kLanesPerBlock; ++thread) {
      const std::int64_t own = block * kLanesPerBlock + thread;
      const Strided<Number> in_shared{shared.data() + thread, kLanesPerBlock};
      const Strided<Number> in_global{global.data() + own, kResident};
      for (std::int64_t lane = own; lane < num_lanes; lane += kResident) {
        if (place == Place::kShared) body(lane, in_shared, in_shared.from(num_local));
        if (place == Place::kSharedFactors) body(lane, in_shared, in_global);
        if (place == Place::kGlobal) body(lane, in_global, in_global.from(num_local));
      }
    }
  }
}

/// Parameter vectors about `centre`, [count, centre.size()], each value times exp(normal(0, spread)).
inline Matrix<double> scattered(std::span<const double> centre, std::size_t count, double spread, unsigned seed) {
  Matrix<double> vectors(count, centre.size());
  std::mt19937 random(seed);
  std::lognormal_distribution<double> factor(0, spread);
  for (std::size_t l = 0; l < count; ++l)
    for (std::size_t p = 0; p < centre.size(); ++p) vectors(l, p) = centre[p] * factor(random);
  return vectors;
}

}  // namespace sojourn
