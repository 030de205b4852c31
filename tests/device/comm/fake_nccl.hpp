#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "device/comm/device_communicator.hpp"
#include "device/comm/nccl_table.hpp"

/// NCCL for threads as ranks, in host memory: calls are only put on a stream, and are done once all ranks have put the
/// same there. A rank that never does keeps the others waiting for ever, as kernels of NCCL do.
namespace sojourn::fake_nccl {

/// What goes wrong, and where.
struct Fault {
  enum Kind {
    kNone,
    kStatus,      ///< the call returns an error and does nothing
    kAsync,       ///< the call is put on the stream, never gets done, and NCCL says so by and by
    kAsyncQuiet,  ///< the same, and the other ranks are not told that this one gave up
    kSilence      ///< the call is put on the stream and never gets done
  };
  Kind kind = kNone;
  int rank = 0;
  std::int64_t call = 0;  ///< of that rank's calls that may fail, from 1
};

/// What a rank meets that the launcher ends: nothing that it could catch as an error.
struct Killed {};

class Fabric {
 public:
  explicit Fabric(int num_ranks, Fault fault = {}) : ranks_(static_cast<std::size_t>(num_ranks)), fault_(fault) {}

  int rank_of_other_version = -1;
  bool shares_a_device = false;

  /// The table as one rank sees it.
  nccl::Table table(int rank);
  /// Ends everything, as a launcher ends processes.
  void kill() { killed_ = true; }
  /// How many calls that may fail a rank has made.
  std::int64_t num_calls(int rank) const { return at(rank).num_calls; }
  int num_destroyed = 0, num_aborted = 0;
  /// What each call takes on every rank's clock.
  static constexpr double kSecondsPerCall = 0.25;
  /// Called on the stream of a rank; every call is on all streams, so one clock is enough.
  double now() const { return kSecondsPerCall * static_cast<double>(num_done_); }

  /// Work of one rank's device on its stream.
  void put(int rank, std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    at(rank).stream.push_back({"", nullptr, nullptr, 0, nccl::kUint8, 0, false, std::move(work)});
  }
  /// The rank ends, and its memory with it.
  void leave(int rank) {
    const std::lock_guard lock(mutex_);
    at(rank).has_given_up = true;
    at(rank).stream.clear();
  }

  /// Whether all that `rank` put on its stream is done; does what can be done.
  bool is_idle(int rank) {
    if (killed_) throw Killed();
    const std::lock_guard lock(mutex_);
    while (run_one()) {
    }
    return at(rank).stream.empty();
  }

 private:
  struct Work {
    std::string what;  ///< the same on all ranks
    const void* from;
    void* to;
    std::size_t count;
    nccl::DataType type;
    int detail;  ///< operation or root
    bool is_stuck;
    std::function<void()> own = {};  ///< no call of NCCL, but this
  };
  struct Rank {
    std::deque<Work> stream;
    std::int64_t num_calls = 0;
    nccl::Result async = nccl::kSuccess;
    bool has_given_up = false;
  };
  Rank& at(int rank) { return ranks_[static_cast<std::size_t>(rank)]; }
  const Rank& at(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }

  /// Counts a call; what comes of it.
  Fault::Kind count(int rank) {
    return ++at(rank).num_calls == fault_.call && rank == fault_.rank ? fault_.kind : Fault::kNone;
  }
  nccl::Result put(int rank, Work work) {
    const std::lock_guard lock(mutex_);
    const Fault::Kind kind = count(rank);
    if (kind == Fault::kStatus) return nccl::kSystemError;
    work.is_stuck = kind != Fault::kNone;
    if (kind == Fault::kAsync || kind == Fault::kAsyncQuiet) at(rank).async = nccl::kUnhandledCudaError;
    at(rank).stream.push_back(std::move(work));
    return nccl::kSuccess;
  }

  /// Does the first work of a stream that is one rank's own, or the first call of all streams where it is there on all.
  bool run_one() {
    for (Rank& rank : ranks_) {
      if (rank.stream.empty() || !rank.stream.front().own) continue;
      const std::function<void()> work = std::move(rank.stream.front().own);
      rank.stream.pop_front();
      work();
      return true;
    }
    std::vector<Work*> works;
    for (Rank& rank : ranks_) {
      if (rank.stream.empty() || rank.stream.front().is_stuck || rank.has_given_up) return false;
      works.push_back(&rank.stream.front());
    }
    for (const Work* const work : works) {
      if (work->what != works[0]->what) throw std::logic_error(work->what + " meets " + works[0]->what);
    }
    const std::size_t bytes = works[0]->count * (works[0]->type == nccl::kFloat64 ? 8 : 1);
    // Inputs first: an output may lie where an input is.
    std::vector<std::vector<char>> inputs;
    for (const Work* const work : works) {
      const auto* const from = static_cast<const char*>(work->from);
      inputs.emplace_back(from, from + bytes);
    }
    if (works[0]->what[0] == 'r') {
      const std::vector<char> result = reduced(inputs, works[0]->count, static_cast<nccl::Operation>(works[0]->detail));
      for (const Work* const work : works) std::copy(result.begin(), result.end(), static_cast<char*>(work->to));
    } else if (works[0]->what[0] == 'b') {
      const auto& root = inputs[static_cast<std::size_t>(works[0]->detail)];
      for (const Work* const work : works) std::copy(root.begin(), root.end(), static_cast<char*>(work->to));
    } else {
      for (const Work* const work : works) {
        for (std::size_t r = 0; r < inputs.size(); ++r)
          std::copy(inputs[r].begin(), inputs[r].end(), static_cast<char*>(work->to) + r * bytes);
      }
    }
    for (Rank& rank : ranks_) rank.stream.pop_front();
    ++num_done_;
    return true;
  }
  /// In another order of the ranks each time, as no order is promised.
  std::vector<char> reduced(const std::vector<std::vector<char>>& inputs, std::size_t count, nccl::Operation op) {
    std::vector<std::size_t> order(inputs.size());
    for (std::size_t r = 0; r < order.size(); ++r) order[r] = r;
    std::shuffle(order.begin(), order.end(), random_);
    const auto values_of = [&](std::size_t r) {
      std::vector<double> values(count);
      if (count > 0) std::memcpy(values.data(), inputs[order[r]].data(), count * sizeof(double));
      return values;
    };
    std::vector<double> result = values_of(0);
    for (std::size_t r = 1; r < inputs.size(); ++r) {
      const std::vector<double> other = values_of(r);
      for (std::size_t i = 0; i < count; ++i) {
        result[i] = op == nccl::kSum       ? result[i] + other[i]
                    : op == nccl::kProduct ? result[i] * other[i]
                    : op == nccl::kMin     ? std::min(result[i], other[i])
                                           : std::max(result[i], other[i]);
      }
    }
    std::vector<char> bytes(count * sizeof(double));
    if (count > 0) std::memcpy(bytes.data(), result.data(), bytes.size());
    return bytes;
  }

  std::mutex mutex_;
  std::int64_t num_done_ = 0;
  std::vector<Rank> ranks_;
  Fault fault_;
  std::atomic<bool> killed_{false};
  std::atomic<int> num_started_{0};
  std::mt19937 random_{5};
};

inline nccl::Table Fabric::table(int rank) {
  // Any pointer that is not null will do for a handle.
  const auto handle = reinterpret_cast<nccl::Handle>(&at(rank));
  nccl::Table table;
  table.get_version = [this, rank](int* found) {
    *found = rank == rank_of_other_version ? 22304 : 22809;
    return nccl::kSuccess;
  };
  table.get_unique_id = [this, rank](nccl::UniqueId* id) {
    const std::lock_guard lock(mutex_);
    if (count(rank) != Fault::kNone) return nccl::kSystemError;
    for (std::size_t i = 0; i < nccl::kUniqueIdBytes; ++i) id->internal[i] = static_cast<char>(i * 7 + 1);
    return nccl::kSuccess;
  };
  table.comm_init_rank = [this, rank, handle](nccl::Handle* made, int num_ranks, nccl::UniqueId id, int own) {
    {
      const std::lock_guard lock(mutex_);
      if (count(rank) != Fault::kNone) return nccl::kSystemError;
      const bool is_told = own == rank && id.internal[nccl::kUniqueIdBytes - 1] == static_cast<char>(127 * 7 + 1);
      if (num_ranks != static_cast<int>(ranks_.size()) || !is_told) return nccl::Result{4};
    }
    ++num_started_;
    while (num_started_ < num_ranks) {  // all ranks meet here
      if (killed_) throw Killed();
      std::this_thread::yield();
    }
    *made = handle;
    return nccl::kSuccess;
  };
  table.comm_destroy = [this](nccl::Handle) {
    const std::lock_guard lock(mutex_);
    ++num_destroyed;
    return nccl::kSuccess;
  };
  table.comm_abort = [this, rank](nccl::Handle) {
    const std::lock_guard lock(mutex_);
    ++num_aborted;
    at(rank).has_given_up = true;
    at(rank).stream.clear();
    const bool is_quiet = fault_.kind == Fault::kSilence || (fault_.kind == Fault::kAsyncQuiet && rank == fault_.rank);
    for (Rank& other : ranks_) {
      if (!is_quiet && other.async == nccl::kSuccess && !other.stream.empty()) other.async = nccl::kRemoteError;
    }
    return nccl::kSuccess;
  };
  table.comm_get_async_error = [this, rank](nccl::Handle, nccl::Result* state) {
    const std::lock_guard lock(mutex_);
    *state = at(rank).async;
    return nccl::kSuccess;
  };
  table.get_error_string = [](nccl::Result status) {
    return status == nccl::kSystemError          ? "unhandled system error"
           : status == nccl::kUnhandledCudaError ? "unhandled cuda error"
           : status == nccl::kRemoteError        ? "remote process exited or there was a network error"
                                                 : "invalid argument";
  };
  table.get_last_error = [](nccl::Handle) { return "the fake's own words"; };
  table.all_gather = [this, rank](const void* own, void* all, std::size_t count, nccl::DataType type, nccl::Handle,
                                  void*) {
    return put(rank, {"gather " + std::to_string(count), own, all, count, type, 0, false});
  };
  table.all_reduce = [this, rank](const void* own, void* result, std::size_t count, nccl::DataType type,
                                  nccl::Operation operation, nccl::Handle, void*) {
    return put(rank, {"reduce " + std::to_string(count) + " by " + std::to_string(operation), own, result, count, type,
                      operation, false});
  };
  table.broadcast = [this, rank](const void* from, void* to, std::size_t count, nccl::DataType type, int root,
                                 nccl::Handle, void*) {
    return put(rank, {"broadcast " + std::to_string(count) + " from " + std::to_string(root), from, to, count, type,
                      root, false});
  };
  table.group_start = [this, rank] {
    const std::lock_guard lock(mutex_);
    return count(rank) != Fault::kNone ? nccl::kSystemError : nccl::kSuccess;
  };
  table.group_end = table.group_start;
  return table;
}

/// Host memory as that of a device; with a fabric, whose streams have to be waited for.
class FakeMemory final : public DeviceMemory {
 public:
  explicit FakeMemory(int rank, Fabric* fabric = nullptr) : rank_(rank), fabric_(fabric) {}
  void to_host(void* host, const void* device, std::size_t num_bytes) override { move(host, device, num_bytes); }
  void to_device(void* device, const void* host, std::size_t num_bytes) override { move(device, host, num_bytes); }
  void copy(void* to, const void* from, std::size_t num_bytes) override { move(to, from, num_bytes); }
  [[nodiscard]] bool is_idle() override { return fabric_ == nullptr || fabric_->is_idle(rank_); }
  /// For ever where another rank never comes, but in a test no longer than that takes to see.
  void synchronize() override {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!is_idle()) {
      if (std::chrono::steady_clock::now() > end) fabric_->kill();
      std::this_thread::yield();
    }
  }
  void mark() override {
    if (fabric_ != nullptr)
      fabric_->put(rank_, [fabric = fabric_, marks = marks_] { marks->push_back(fabric->now()); });
  }
  double take_seconds() override {
    double seconds = 0;
    for (std::size_t i = 1; i < marks_->size(); i += 2) seconds += (*marks_)[i] - (*marks_)[i - 1];
    marks_->clear();
    return seconds;
  }
  [[nodiscard]] void* stream() const override { return nullptr; }
  [[nodiscard]] std::string bus_id() const override {
    const bool is_shared = fabric_ != nullptr && fabric_->shares_a_device;
    return "0000:0" + std::to_string(is_shared ? rank_ / 2 : rank_) + ":00.0";
  }

 private:
  void move(void* to, const void* from, std::size_t num_bytes) {
    synchronize();
    if (num_bytes > 0) std::memcpy(to, from, num_bytes);
  }
  int rank_;
  Fabric* fabric_;
  std::shared_ptr<std::vector<double>> marks_ = std::make_shared<std::vector<double>>();  ///< streams may outlive it
};

}  // namespace sojourn::fake_nccl
