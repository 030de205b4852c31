#pragma once

#include <cstddef>
#include <cstdint>

namespace sojourn {

inline constexpr int kWarp = 32;
/// Threads of a replay's block; more would not share anything.
inline constexpr int kLargestBlock = 128;

/// The most lanes of a block, whole warps, that fit into `bytes` at `lane_bytes` each; 0 where not even one warp does.
constexpr int fitting_lanes(std::int64_t lane_bytes, std::size_t bytes) {
  for (int lanes = kLargestBlock; lanes >= kWarp; lanes -= kWarp) {
    if (static_cast<std::size_t>(lane_bytes) * static_cast<std::size_t>(lanes) <= bytes) return lanes;
  }
  return 0;
}

}  // namespace sojourn
