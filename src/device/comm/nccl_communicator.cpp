#include "device/comm/nccl_communicator.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "comm/rank_mesh.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// Calls `act` once if it lives longer than `limit`.
class StallWatch {
 public:
  StallWatch(Seconds limit, std::function<void()> act)
      : thread_([this, limit, act = std::move(act)] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, limit, [this] { return over_; })) {
            lock.unlock();
            act();
          }
        }) {}
  ~StallWatch() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;  // last: it reads everything above
};

nccl::Operation operation_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return nccl::kSum;
    case Reduction::kProduct:
      return nccl::kProduct;
    case Reduction::kMin:
      return nccl::kMin;
    case Reduction::kMax:
      return nccl::kMax;
  }
  return nccl::kSum;
}

class NcclCommunicator final : public DeviceCommunicator {
 public:
  NcclCommunicator(nccl::Table table, Communicator& host, DeviceMemory& memory, NcclOptions options)
      : table_(std::move(table)), host_(host), memory_(memory), options_(std::move(options)) {
    expect_own_devices();
    int version = 0;
    agree({text_of(table_.get_version(&version), "ncclGetVersion")});
    expect_same_everywhere(host_, "NCCL version", nccl::version_text(version));
    nccl::UniqueId id{};
    agree({rank() == 0 ? text_of(table_.get_unique_id(&id), "ncclGetUniqueId") : ""});
    const std::vector<char> told = host_.broadcast(std::span<const char>(id.internal), 0);
    std::ranges::copy(told, id.internal);
    std::string failure;
    {
      const StallWatch watch(options_.deadline, [this] {
        end_all(fmt::format("rank {}: ncclCommInitRank has lasted {:.3g} s", rank(), options_.deadline.count()));
      });
      failure = text_of(table_.comm_init_rank(&handle_, size(), id, rank()), "ncclCommInitRank");
    }
    agree({failure}, Others::kMayHang);
    log(fmt::format("rank {} | NCCL {}, device {}", rank(), nccl::version_text(version), memory_.bus_id()));
  }
  ~NcclCommunicator() override {
    if (handle_ == nullptr) return;
    // What others may never answer cannot be waited for.
    if (num_pending_ > 0) {
      table_.comm_abort(handle_);
    } else {
      table_.comm_destroy(handle_);
    }
  }

  [[nodiscard]] int rank() const override { return host_.rank(); }
  [[nodiscard]] int size() const override { return host_.size(); }
  [[nodiscard]] std::string name() const override { return "nccl"; }
  [[nodiscard]] bool is_on_stream() const override { return true; }

  void all_gather(const void* own, void* all, std::size_t num_bytes) override {
    put(fmt::format("ncclAllGather of {} bytes", num_bytes), num_bytes * static_cast<std::size_t>(size()),
        [&] { return table_.all_gather(own, all, num_bytes, nccl::kUint8, handle_, memory_.stream()); });
  }
  void broadcast(void* values, std::size_t num_bytes, int root) override {
    put(fmt::format("ncclBroadcast of {} bytes from {}", num_bytes, root), num_bytes,
        [&] { return table_.broadcast(values, values, num_bytes, nccl::kUint8, root, handle_, memory_.stream()); });
  }
  void all_reduce(const double* own, double* result, std::size_t num_elements, Reduction reduction) override {
    put(fmt::format("ncclAllReduce of {} elements, {}", num_elements, to_string(reduction)),
        num_elements * sizeof(double), [&] {
          return table_.all_reduce(own, result, num_elements, nccl::kFloat64, operation_of(reduction), handle_,
                                   memory_.stream());
        });
  }
  /// The broadcasts of all ranks' rows as one group, which NCCL runs at once.
  void gather_rows(double* values, std::int64_t num_rows, std::int64_t unit, std::size_t width) override {
    const std::size_t num_bytes = static_cast<std::size_t>(num_rows) * width * sizeof(double);
    put(fmt::format("ncclBroadcast of {} rows of {} from each rank's own", num_rows, width), num_bytes, [&] {
      nccl::Result status = table_.group_start();
      for (int root = 0; root < size() && status == nccl::kSuccess; ++root) {
        const RankRows rows = rows_of_rank(num_rows, unit, root, size());
        const auto count = static_cast<std::size_t>(rows.end - rows.begin) * width;
        double* const place = values + static_cast<std::size_t>(rows.begin) * width;
        if (count > 0) status = table_.broadcast(place, place, count, nccl::kFloat64, root, handle_, memory_.stream());
      }
      // A group that was begun is ended even where it failed, or every later call would join it.
      const nccl::Result end = table_.group_end();
      return status == nccl::kSuccess ? end : status;
    });
  }

  using DeviceCommunicator::wait;
  void wait(const std::string& failure_of_caller) override {
    SOJOURN_EXPECTS(handle_ != nullptr, CommError, "rank {}: the communicator has ended by an error", rank());
    // Nobody waits for a call that another rank could not start.
    const std::string of_call = std::exchange(failure_, {});
    agree({of_call.empty() ? failure_of_caller : of_call});
    const Clock::time_point start = Clock::now();
    Failure failure;
    try {
      failure = wait_for_stream(start);
    } catch (const std::exception& error) {
      failure = {fmt::format("{}: {}", pending_text(), error.what())};
    }
    if (!failure.text.empty()) give_up();
    agree(failure, Others::kMayHang);
    log(fmt::format("rank {} | {} | done in {:.6f} s", rank(), pending_text(), Seconds(Clock::now() - start).count()));
    if (options_.cost != nullptr) {
      options_.cost->num_calls += num_pending_;
      options_.cost->bytes += pending_bytes_;
      options_.cost->seconds += memory_.take_seconds();
    }
    num_pending_ = pending_bytes_ = 0;
  }

 private:
  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }
  void end_all(const std::string& text) {
    if (options_.end_all && !has_ended_all_.exchange(true)) options_.end_all(text);
  }
  /// What a status says in words; empty for success.
  [[nodiscard]] std::string text_of(nccl::Result status, std::string_view call) const {
    if (status == nccl::kSuccess) return {};
    const char* const words = table_.get_error_string(status);
    const char* const more = table_.get_last_error(handle_);
    std::string text = fmt::format("{}: {}", call, words == nullptr ? "unknown status" : words);
    if (more != nullptr && *more != '\0') text += fmt::format(" ({})", more);
    return text;
  }

  /// What went wrong with a rank. Where others are the cause, as far as NCCL tells, they speak if they can.
  struct Failure {
    std::string text;
    bool is_from_elsewhere = false;
  };
  /// Whether other ranks may be inside NCCL, where no vote reaches them.
  enum class Others : bool { kWillCome, kMayHang };

  /// Throws on all ranks where one has a failure. One that has gives those that hang in NCCL some time, and no more.
  void agree(const Failure& failure, Others others = Others::kWillCome) {
    try {
      if (failure.text.empty() || others == Others::kWillCome) {
        vote_on(failure);
      } else {
        const StallWatch watch(options_.grace, [&] { end_all(fmt::format("rank {}: {}", rank(), failure.text)); });
        vote_on(failure);
      }
    } catch (...) {
      give_up();
      throw;
    }
  }
  void vote_on(const Failure& failure) {
    const auto own = static_cast<std::int32_t>(failure.text.empty() ? 2 : failure.is_from_elsewhere ? 1 : 0);
    const std::int32_t gravest = host_.all_reduce(std::span(&own, 1), Reduction::kMin)[0];
    if (gravest < 2) vote(host_, own == gravest ? failure.text : "");
  }
  void give_up() {
    if (handle_ != nullptr) table_.comm_abort(std::exchange(handle_, nullptr));
  }

  /// Two ranks of one device would wait for each other for ever: NCCL's kernels need both at once.
  void expect_own_devices() {
    constexpr std::size_t kLength = 256;
    std::array<char, kLength> own{};
    ::gethostname(own.data(), kLength / 2);
    const std::string bus = memory_.bus_id();
    std::copy_n(bus.begin(), std::min(bus.size(), kLength / 2 - 1), own.begin() + kLength / 2);
    const std::vector<char> all = host_.all_gather(std::span<const char>(own));
    const auto of = [&](int other) { return std::string_view(all.data() + kLength * other, kLength); };
    for (int later = 1; later < size(); ++later) {
      for (int earlier = 0; earlier < later; ++earlier) {
        SOJOURN_EXPECTS(of(earlier) != of(later), CommError,
                        "ranks {} and {} both use the GPU {} of {}; NCCL takes one rank a GPU: start as many ranks on "
                        "a node as it has GPUs, each with its own in CUDA_VISIBLE_DEVICES or --device cuda:N",
                        earlier, later, of(later).substr(kLength / 2).data(), of(later).data());
      }
    }
  }

  template <class Call>
  void put(std::string text, std::size_t num_bytes, Call&& call) {
    ++sequence_;
    if (num_pending_++ == 0) first_pending_ = fmt::format("call {}, {}", sequence_, text);
    if (!failure_.empty()) return;  // of an earlier one; `wait` tells all
    SOJOURN_EXPECTS(handle_ != nullptr, CommError, "rank {}: call {}, {}: the communicator has ended by an error",
                    rank(), sequence_, text);
    log(fmt::format("rank {} | call {} | {}", rank(), sequence_, text));
    pending_bytes_ += static_cast<std::int64_t>(num_bytes);
    if (options_.cost != nullptr) memory_.mark();
    failure_ = text_of(call(), fmt::format("call {}, {}", sequence_, text));
    if (options_.cost != nullptr) memory_.mark();
  }
  [[nodiscard]] std::string pending_text() const {
    if (num_pending_ == 0) return "no call";
    return num_pending_ == 1 ? first_pending_ : fmt::format("{} and {} more", first_pending_, num_pending_ - 1);
  }

  /// Until the stream is done; what went wrong, or nothing. The host has nothing else to do, but ranks share its cores.
  Failure wait_for_stream(Clock::time_point start) {
    // Short waits are met at once; a sleep takes some 60 us at least.
    constexpr auto kAwake = std::chrono::microseconds(200), kPause = std::chrono::microseconds(50);
    for (;;) {
      const bool is_idle = memory_.is_idle();
      nccl::Result state = nccl::kSuccess;
      if (std::string text = text_of(table_.comm_get_async_error(handle_, &state), "ncclCommGetAsyncError");
          !text.empty())
        return {std::move(text)};
      if (state != nccl::kSuccess && state != nccl::kInProgress)
        return {text_of(state, pending_text()), state == nccl::kRemoteError};
      if (is_idle) return {};
      const Clock::duration lasted = Clock::now() - start;
      if (lasted > options_.deadline)
        return {fmt::format("{}, has lasted {:.3g} s", pending_text(), options_.deadline.count()), true};
      if (lasted < kAwake) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(kPause);
      }
    }
  }

  nccl::Table table_;
  Communicator& host_;
  DeviceMemory& memory_;
  NcclOptions options_;
  nccl::Handle handle_ = nullptr;
  std::int64_t sequence_ = 0, num_pending_ = 0, pending_bytes_ = 0;
  std::string first_pending_, failure_;
  std::atomic<bool> has_ended_all_{false};
};

}  // namespace

std::unique_ptr<DeviceCommunicator> make_nccl_communicator(nccl::Table table, Communicator& host, DeviceMemory& memory,
                                                           NcclOptions options) {
  return std::make_unique<NcclCommunicator>(std::move(table), host, memory, std::move(options));
}

}  // namespace sojourn
