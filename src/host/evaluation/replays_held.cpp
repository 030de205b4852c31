#include "evaluation/replays_held.hpp"

#include <algorithm>

#include "evaluation/lane_widths.hpp"

namespace sojourn {

ReplaysHeld replays_held(const ReplayBytes& bytes, std::int64_t num_vectors, int num_threads) {
  const LaneWidths widths = lane_widths();
  const auto held = [&](std::int64_t per_lane, int many) {
    const std::int64_t width = are_few(static_cast<std::size_t>(num_vectors), widths.narrow) ? widths.narrow : many;
    const std::int64_t num_blocks = std::max<std::int64_t>(1, (num_vectors + width - 1) / width);
    return static_cast<double>(per_lane) * static_cast<double>(width * std::min<std::int64_t>(num_blocks, num_threads));
  };
  ReplaysHeld replays{.value = held(bytes.value, bytes.few_lanes ? widths.fronts : widths.wide),
                      .gradient = held(bytes.products, bytes.few_lanes ? widths.fronts : widths.products)};
  const bool narrow = are_differences_narrow(bytes.differences, widths);
  const auto program = static_cast<double>(bytes.difference_program);
  replays.differences =
      std::max(replays.gradient, program + held(bytes.differences, narrow ? widths.narrow : widths.differences));
  if (bytes.products > 0) return replays;
  replays.value += program;
  replays.gradient = replays.differences;
  return replays;
}

}  // namespace sojourn
