#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "evaluation/lane_replay.hpp"

namespace sojourn {

/// Runs `body(width, next_block)` on every thread. `next_block()` hands out the first lane of a block of `width` lanes
/// until none is left. The width depends on the number of lanes alone and lanes do not see each other, so neither
/// threads nor blocks change a lane's bits. The first exception of any thread is rethrown.
template <int Wide = kWideLanes, int Narrow = kNarrowLanes, class Body>
void for_lane_blocks(std::size_t num_lanes, int num_threads, Body&& body) {
  const auto run = [&](auto width) {
    constexpr std::size_t kWidth = decltype(width)::value;
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::atomic<bool> failed{false};
    const std::size_t num_blocks = (num_lanes + kWidth - 1) / kWidth;
    [[maybe_unused]] const int team =
        static_cast<int>(std::min<std::size_t>(num_threads, std::max<std::size_t>(1, num_blocks)));
#pragma omp parallel num_threads(team)
    {
      try {
        body(width, [&]() -> std::optional<std::size_t> {
          const std::size_t first = kWidth * next.fetch_add(1);
          if (first >= num_lanes || failed) return std::nullopt;
          return first;
        });
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
  };
  if (are_few(num_lanes, Narrow)) {
    run(std::integral_constant<int, Narrow>{});
  } else {
    run(std::integral_constant<int, Wide>{});
  }
}

}  // namespace sojourn
