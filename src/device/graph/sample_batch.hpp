#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/sample_path.hpp"
#include "common/strided.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/batches.hpp"
#include "device/support/on_stream.hpp"
#include "graph/jump_table.hpp"
#include "sojourn/sample_device.hpp"

namespace sojourn {

/// A draw from number `first` on.
struct SampleStep {
  JumpView chain;
  std::uint64_t seed;
  std::int64_t first;
  double* gathered;  ///< reward r of draw i at [i * draw_stride + r * reward_stride]
  std::int64_t draw_stride, reward_stride;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    follow_path(chain, seed, first + lane, Strided<double>{gathered + lane * draw_stride, reward_stride});
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
      machine_.run(count, SampleStep{chain_, seed, first, gathered_.data(), 1, count});
      lanes.resize(size);
      machine_.download(static_cast<const double*>(gathered_.data()), std::span(lanes));
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t r = 0; r < rewards; ++r)
          draws[static_cast<std::size_t>((first + i) * rewards + r)] = lanes[static_cast<std::size_t>(r * count + i)];
    });
  }

  [[nodiscard]] std::int64_t num_rewards() const { return chain_.num_rewards; }
  /// Enqueues draws first, first + 1, ... for a tensor of the machine's.
  void draw_into(std::uint64_t seed, std::int64_t first, const DeviceTensor& draws) {
    if (num_rewards() == 0) return;
    machine_.run(draws.shape[0],
                 SampleStep{chain_, seed, first, static_cast<double*>(draws.data), draws.stride[0], draws.stride[1]});
  }

 private:
  /// A launch's draws at most: long paths should leave the machine to others now and then.
  static constexpr std::int64_t kMostDraws = std::int64_t{1} << 22, kSmallestBatch = 128;

  Machine& machine_;
  JumpView chain_;
  typename Machine::template Buffer<unsigned char> tables_;
  typename Machine::template Buffer<double> gathered_;
};

/// Draws for callers who have room for them on the machine, which is as `on_stream.hpp` has it.
template <class Machine>
class TensorSampler final : public TensorDraws {
 public:
  template <class... MachineArguments>
  explicit TensorSampler(const JumpTable& table, MachineArguments&&... arguments)
      : machine_(std::forward<MachineArguments>(arguments)...), batch_(machine_, table) {}

  [[nodiscard]] std::int64_t num_rewards() const override { return batch_.num_rewards(); }
  void draw(std::uint64_t seed, std::int64_t first, const DeviceTensor& draws, void* stream) override {
    if (first < 0) throw UsageError("draws from number " + std::to_string(first) + " on; must be at least 0");
    expect_tensor("draws", draws, draws.shape[0], num_rewards(), DeviceTensor::Type::kDouble, machine_.index());
    const OnStream there(machine_, stream);
    batch_.draw_into(seed, first, draws);
  }

 private:
  Machine machine_;
  SampleBatch<Machine> batch_;
};

}  // namespace sojourn
