#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "common/strided.hpp"
#include "host/evaluation/shuffled_lanes.hpp"

namespace sojourn {

/// A block of `Thread`s whose steps a host loop takes, threads in another order each time.
template <class Thread>
class ShuffledBlock {
 public:
  ShuffledBlock(std::vector<Thread> threads, unsigned seed) : threads_(std::move(threads)), random_(seed) {
    order_.resize(threads_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }
  template <class Work>
  void step(Work&& work) {
    std::shuffle(order_.begin(), order_.end(), random_);
    for (const std::size_t thread : order_) work(threads_[thread]);
  }

 private:
  std::vector<Thread> threads_;
  std::vector<std::size_t> order_;
  std::mt19937 random_;
};

/// Runs a device's level mapping by a host loop: blocks of a few lanes and of all streams, in shuffled order and two at a
/// time, as far apart as there are resident ones. A resident block's slots are `nothing` (not a number) at first and then
/// as its lanes before left them. `make(lane, stream, local, solution)` makes a thread; `run(block)` does the block's
/// work; both are called by several threads.
template <class Number, class Make, class Run>
void for_each_level_block(std::int64_t num_lanes, std::int32_t num_streams, std::int64_t num_local,
                          std::int64_t num_solution, Place place, const Number& nothing, unsigned seed, Make&& make,
                          Run&& run) {
  constexpr std::int64_t kLanes = 4, kResidentBlocks = 3;
  std::vector<std::int64_t> resident(kResidentBlocks);
  std::iota(resident.begin(), resident.end(), std::int64_t{0});
  std::shuffle(resident.begin(), resident.end(), std::mt19937(seed));
  const auto slots_of_block = static_cast<std::size_t>((num_local + num_solution) * kLanes);
  std::vector<Number> all_global(slots_of_block * kResidentBlocks, nothing);
#pragma omp parallel for schedule(dynamic) num_threads(2)
  for (const std::int64_t own : resident) {
    std::vector<Number> shared(slots_of_block, nothing);
    Number* const global = all_global.data() + static_cast<std::size_t>(own) * slots_of_block;
    for (std::int64_t first = own * kLanes; first < num_lanes; first += kResidentBlocks * kLanes) {
      using Thread = decltype(make(std::int64_t{}, std::int32_t{}, Strided<Number>{}, Strided<Number>{}));
      std::vector<Thread> threads;
      for (std::int64_t lane = first; lane < std::min(num_lanes, first + kLanes); ++lane) {
        const Strided<Number> in_shared{shared.data() + (lane - first), kLanes};
        const Strided<Number> in_global{global + (lane - first), kLanes};
        const Strided<Number> local = place == Place::kGlobal ? in_global : in_shared;
        const Strided<Number> solution = place == Place::kSharedFactors ? in_global : local.from(num_local);
        for (std::int32_t stream = 0; stream < num_streams; ++stream)
          threads.push_back(make(lane, stream, local, solution));
      }
      ShuffledBlock<Thread> block(std::move(threads), seed + static_cast<unsigned>(first));
      run(block);
    }
  }
}

}  // namespace sojourn
