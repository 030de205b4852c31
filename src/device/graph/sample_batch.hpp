#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/sample_path.hpp"
#include "common/strided.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/batches.hpp"
#include "graph/jump_table.hpp"

namespace sojourn {

/// A draw from number `first` on. `gathered` [rewards, n].
struct SampleStep {
  JumpView chain;
  std::uint64_t seed;
  std::int64_t first, n;
  double* gathered;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    follow_path(chain, seed, first + lane, Strided<double>{gathered + lane, n});
  }
};

/// Draws of one chain on a machine, which is as `LikelihoodBatch` has it.
template <class Machine>
class SampleBatch {
 public:
  /// Uploads the tables.
  SampleBatch(Machine& machine, const JumpTable& table) : machine_(machine), chain_(table.numbers()) {
    ArrayLayout layout;
    table.each_array(chain_, [&](auto& pointer, const auto& array) { layout.place(pointer, array); });
    tables_ = typename Machine::template Buffer<unsigned char>(layout.bytes().size());
    machine_.upload(tables_.data(), std::span<const unsigned char>(layout.bytes()));
    layout.point_into(tables_.data());
  }

  /// Draws 0, 1, ... of `seed` into `draws` [num_draws, rewards]. Batches fit memory and halve where that was too much.
  void draw(std::uint64_t seed, std::int64_t num_draws, std::span<double> draws,
            const std::function<void(const std::string&)>& report) {
    const auto rewards = static_cast<std::int64_t>(chain_.num_rewards);
    if (num_draws == 0 || rewards == 0) return;
    const double fitting = kUsableMemory * machine_.free_bytes() / (8.0 * static_cast<double>(rewards));
    const std::int64_t batch =
        fitting < static_cast<double>(kMostDraws) ? static_cast<std::int64_t>(fitting) : kMostDraws;
    std::vector<double> lanes;
    for_each_batch(num_draws, batch, kSmallestBatch, report, [&](std::int64_t first, std::int64_t count) {
      const auto size = static_cast<std::size_t>(count * rewards);
      if (size > gathered_.size()) {
        gathered_ = {};
        gathered_ = typename Machine::template Buffer<double>(size);
      }
      machine_.run(count, SampleStep{chain_, seed, first, count, gathered_.data()});
      lanes.resize(size);
      machine_.download(static_cast<const double*>(gathered_.data()), std::span(lanes));
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t r = 0; r < rewards; ++r)
          draws[static_cast<std::size_t>((first + i) * rewards + r)] = lanes[static_cast<std::size_t>(r * count + i)];
    });
  }

 private:
  /// A launch's draws at most: long paths should leave the machine to others now and then.
  static constexpr std::int64_t kMostDraws = std::int64_t{1} << 22, kSmallestBatch = 128;

  Machine& machine_;
  JumpView chain_;
  typename Machine::template Buffer<unsigned char> tables_;
  typename Machine::template Buffer<double> gathered_;
};

}  // namespace sojourn
