#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "comm/wrapped_communicator.hpp"
#include "device/comm/fake_nccl.hpp"
#include "device/comm/rank_exchange.hpp"
#include "host/posterior/host_loop_device.hpp"

namespace sojourn::testing {

/// Says that it takes device memory: here that is the host's.
class TakesDeviceMemory final : public WrappedCommunicator {
 public:
  using WrappedCommunicator::WrappedCommunicator;
  [[nodiscard]] bool takes_device_memory() const override { return true; }
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override {
    return std::make_unique<TakesDeviceMemory>(duplicate_inner());
  }

 protected:
  void around(const CommCall&, const std::function<void()>& work) override { work(); }
};

/// The stream of one rank's host loop: steps stand on the fake's stream among its calls, and are done in that order.
class RankStream final : public HostStream {
 public:
  /// `load`: its NCCL. `before_step` is told the number of each step, from 1, and may throw.
  RankStream(fake_nccl::Fabric& fabric, int rank, std::function<nccl::Table()> load,
             std::function<void(std::int64_t)> before_step = {})
      : fabric_(fabric), rank_(rank), load_(std::move(load)), before_step_(std::move(before_step)) {}
  ~RankStream() override { fabric_.leave(rank_); }

  void put(std::function<void()> work) override {
    ++num_steps;
    if (before_step_) before_step_(num_steps);
    fabric_.put(rank_, std::move(work));
  }
  void synchronize() override { fake_nccl::FakeMemory(rank_, &fabric_).synchronize(); }
  std::unique_ptr<RankExchange> connect(Communicator& ranks, const DeviceMessages& messages) override {
    return open_rank_exchange(
        ranks, messages, [this] { return std::make_unique<fake_nccl::FakeMemory>(rank_, &fabric_); }, load_);
  }
  std::int64_t num_steps = 0;

 private:
  fake_nccl::Fabric& fabric_;
  int rank_;
  std::function<nccl::Table()> load_;
  std::function<void(std::int64_t)> before_step_;
};

}  // namespace sojourn::testing
