#include "comm/wrapped_communicator.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "expects.hpp"

namespace sojourn {
namespace {

using Clock = std::chrono::steady_clock;

/// How often the watchdog looks at the clock in the time that a call may last, and the longest time between.
constexpr double kLooks = 20;
constexpr std::chrono::duration<double> kLongestLook{1.0};

class LoggedCommunicator final : public WrappedCommunicator {
 public:
  LoggedCommunicator(std::unique_ptr<Communicator> inner, std::function<void(const std::string&)> write)
      : WrappedCommunicator(std::move(inner)), write_(std::move(write)) {}
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override {
    return make_logged_communicator(duplicate_inner(), write_);
  }

 protected:
  void around(const CommCall& call, const std::function<void()>& work) override {
    const std::string line = fmt::format("rank {} | call {} | {}", rank(), call.sequence, call.text);
    write_(line);
    const Clock::time_point start = Clock::now();
    try {
      work();
    } catch (const std::exception& error) {
      write_(fmt::format("{} | failed: {}", line, error.what()));
      throw;
    }
    write_(fmt::format("{} | done in {:.6f} s", line, std::chrono::duration<double>(Clock::now() - start).count()));
  }

 private:
  std::function<void(const std::string&)> write_;
};

class WatchedCommunicator final : public WrappedCommunicator {
 public:
  WatchedCommunicator(std::unique_ptr<Communicator> inner, std::chrono::duration<double> deadline,
                      std::function<void(const std::string&)> on_stall)
      : WrappedCommunicator(std::move(inner)),
        deadline_(deadline),
        on_stall_(std::move(on_stall)),
        watch_([this] { watch(); }) {}
  ~WatchedCommunicator() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    watch_.join();
  }
  WatchedCommunicator(const WatchedCommunicator&) = delete;
  WatchedCommunicator& operator=(const WatchedCommunicator&) = delete;
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override {
    return make_watched_communicator(duplicate_inner(), deadline_, on_stall_);
  }

 protected:
  void around(const CommCall& call, const std::function<void()>& work) override {
    set(fmt::format("rank {}: call {}, {}, has lasted {:.3g} s", rank(), call.sequence, call.text, deadline_.count()));
    try {
      work();
    } catch (...) {
      set("");
      throw;
    }
    set("");
  }

 private:
  [[nodiscard]] Clock::duration between_looks() const {
    return std::chrono::duration_cast<Clock::duration>(std::min(deadline_ / kLooks, kLongestLook));
  }
  /// The call in work, or none.
  void set(std::string current) {
    {
      const std::lock_guard lock(mutex_);
      current_ = std::move(current);
      since_ = Clock::now();
    }
    changed_.notify_all();
  }
  void watch() {
    std::unique_lock lock(mutex_);
    Clock::time_point seen = Clock::now();
    while (!ending_) {
      if (current_.empty() || told_) {
        changed_.wait(lock);
        seen = Clock::now();
        continue;
      }
      // Time in which this process was stopped, or got no core, says nothing of the others: it does not count, wherever
      // in this loop it was.
      const Clock::time_point now = Clock::now();
      if (now - seen > 2 * between_looks()) since_ = std::min(now, since_ + (now - seen));
      seen = now;
      const Clock::time_point limit = since_ + std::chrono::duration_cast<Clock::duration>(deadline_);
      if (now < limit) {
        changed_.wait_until(lock, std::min(limit, now + between_looks()));
        continue;
      }
      told_ = true;
      const std::string text = current_;
      lock.unlock();
      on_stall_(text);
      lock.lock();
    }
  }

  std::chrono::duration<double> deadline_;
  std::function<void(const std::string&)> on_stall_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string current_;
  Clock::time_point since_;
  bool told_ = false, ending_ = false;
  std::thread watch_;  // last: it reads everything above
};

class MeasuredCommunicator final : public WrappedCommunicator {
 public:
  MeasuredCommunicator(std::unique_ptr<Communicator> inner, CommCost& cost)
      : WrappedCommunicator(std::move(inner)), cost_(cost) {}
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override {
    return make_measured_communicator(duplicate_inner(), cost_);
  }

 protected:
  void around(const CommCall& call, const std::function<void()>& work) override {
    const Clock::time_point start = Clock::now();
    work();
    cost_.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    cost_.bytes += call.bytes;
    ++cost_.num_calls;
  }

 private:
  CommCost& cost_;
};

class FaultyCommunicator final : public WrappedCommunicator {
 public:
  FaultyCommunicator(std::unique_ptr<Communicator> inner, std::shared_ptr<std::int64_t> left,
                     std::function<void()> fault)
      : WrappedCommunicator(std::move(inner)), left_(std::move(left)), fault_(std::move(fault)) {}
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override {
    return std::make_unique<FaultyCommunicator>(duplicate_inner(), left_, fault_);
  }

 protected:
  void around(const CommCall&, const std::function<void()>& work) override {
    if (--*left_ == 0) fault_();
    work();
  }

 private:
  std::shared_ptr<std::int64_t> left_;  ///< calls up to the fault, of duplicates too
  std::function<void()> fault_;
};

}  // namespace

void WrappedCommunicator::pass(std::string text, std::size_t num_bytes, const std::function<void()>& work) {
  around({++sequence_, std::move(text), static_cast<std::int64_t>(num_bytes)}, work);
}

std::unique_ptr<Communicator> WrappedCommunicator::duplicate_inner() {
  std::unique_ptr<Communicator> copy;
  pass("duplicate", 0, [&] { copy = inner_->duplicate(); });
  return copy;
}

void WrappedCommunicator::barrier() {
  pass("barrier", 0, [&] { inner_->barrier(); });
}
void WrappedCommunicator::all_gather_bytes(Bytes own, MutableBytes all) {
  pass(fmt::format("all_gather of {} bytes", own.size()), all.size(), [&] { inner_->all_gather_bytes(own, all); });
}
void WrappedCommunicator::all_to_all_bytes(Bytes blocks, MutableBytes received) {
  pass(fmt::format("all_to_all of {} bytes", blocks.size()), blocks.size(),
       [&] { inner_->all_to_all_bytes(blocks, received); });
}
void WrappedCommunicator::broadcast_bytes(MutableBytes values, int root) {
  pass(fmt::format("broadcast of {} bytes from {}", values.size(), root), values.size(),
       [&] { inner_->broadcast_bytes(values, root); });
}
void WrappedCommunicator::gather_bytes(Bytes own, MutableBytes all, int root) {
  pass(fmt::format("gather of {} bytes to {}", own.size(), root), std::max(own.size(), all.size()),
       [&] { inner_->gather_bytes(own, all, root); });
}
void WrappedCommunicator::scatter_bytes(Bytes blocks, MutableBytes own, int root) {
  pass(fmt::format("scatter of {} bytes from {}", own.size(), root), std::max(own.size(), blocks.size()),
       [&] { inner_->scatter_bytes(blocks, own, root); });
}
void WrappedCommunicator::reduce_elements(Scope scope, const void* own, void* result, std::size_t num_elements,
                                          ElementType type, Reduction reduction, int root) {
  const char* const call = scope == Scope::kAll ? "all_reduce" : scope == Scope::kRoot ? "reduce" : "scan";
  std::string text = fmt::format("{} of {} elements, {}", call, num_elements, to_string(reduction));
  if (scope == Scope::kRoot) text += fmt::format(", to {}", root);
  pass(std::move(text), num_elements * size_of_element(type),
       [&] { inner_->reduce_elements(scope, own, result, num_elements, type, reduction, root); });
}
void WrappedCommunicator::send_bytes(Bytes values, int to, int tag) {
  pass(fmt::format("send of {} bytes to {}, tag {}", values.size(), to, tag), values.size(),
       [&] { inner_->send_bytes(values, to, tag); });
}
void WrappedCommunicator::receive_bytes(MutableBytes values, int from, int tag) {
  pass(fmt::format("receive of {} bytes from {}, tag {}", values.size(), from, tag), values.size(),
       [&] { inner_->receive_bytes(values, from, tag); });
}
void WrappedCommunicator::send_receive_bytes(Bytes values, int to, MutableBytes received, int from, int tag) {
  pass(fmt::format("send_receive of {} bytes to {} and {} bytes from {}, tag {}", values.size(), to, received.size(),
                   from, tag),
       std::max(values.size(), received.size()), [&] { inner_->send_receive_bytes(values, to, received, from, tag); });
}

std::unique_ptr<Communicator> make_logged_communicator(std::unique_ptr<Communicator> inner,
                                                       std::function<void(const std::string&)> write) {
  return std::make_unique<LoggedCommunicator>(std::move(inner), std::move(write));
}

std::unique_ptr<Communicator> make_watched_communicator(std::unique_ptr<Communicator> inner,
                                                        std::chrono::duration<double> deadline,
                                                        std::function<void(const std::string&)> on_stall) {
  SOJOURN_EXPECTS(deadline.count() > 0, UsageError, "communication deadline {} s must be > 0", deadline.count());
  return std::make_unique<WatchedCommunicator>(std::move(inner), deadline, std::move(on_stall));
}

std::unique_ptr<Communicator> make_measured_communicator(std::unique_ptr<Communicator> inner, CommCost& cost) {
  return std::make_unique<MeasuredCommunicator>(std::move(inner), cost);
}

std::unique_ptr<Communicator> make_faulty_communicator(std::unique_ptr<Communicator> inner, std::int64_t sequence,
                                                       std::function<void()> fault) {
  return std::make_unique<FaultyCommunicator>(std::move(inner), std::make_shared<std::int64_t>(sequence),
                                              std::move(fault));
}

}  // namespace sojourn
