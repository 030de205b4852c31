#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "host/posterior/host_loop_device.hpp"
#include "sojourn/error.hpp"

namespace sojourn::testing {

/// A host loop's steps on one stream and the copies beside them on another, as late as the waits allow: either stream
/// may be the slower one. What is read before it was waited for is not there yet; what is copied from where later steps
/// write is theirs.
class TwoStreams final : public HostStream {
 public:
  enum class Slow { kSteps, kCopies };
  explicit TwoStreams(Slow slow) : slow_(slow) {}

  void put(std::function<void()> work) override {
    ++num_put_;
    if (!aside_.empty()) ++num_beside;
    if (slow_ == Slow::kCopies) {
      ++num_done_;
      work();
    } else {
      steps_.push_back(std::move(work));
    }
  }
  void synchronize() override { run_to(num_put_); }
  void put_aside(std::function<void()> work) override { aside_.push_back({num_put_, std::move(work)}); }
  void synchronize_aside() override {
    for (; !aside_.empty(); aside_.pop_front()) {
      run_to(aside_.front().after);
      aside_.front().work();
    }
  }
  [[nodiscard]] std::unique_ptr<RankExchange> connect(Communicator&, const DeviceMessages&) override {
    throw DeviceError("one rank alone");
  }
  std::int64_t num_beside = 0;  ///< steps that were put while a copy was under way

 private:
  struct Copy {
    std::int64_t after;  ///< as many steps
    std::function<void()> work;
  };
  void run_to(std::int64_t count) {
    for (; num_done_ < count; ++num_done_) {
      const std::function<void()> work = std::move(steps_.front());
      steps_.pop_front();
      work();
    }
  }
  Slow slow_;
  std::int64_t num_put_ = 0, num_done_ = 0;
  std::deque<std::function<void()>> steps_;
  std::deque<Copy> aside_;
};

}  // namespace sojourn::testing
