#include "device/comm/rank_exchange.hpp"

#include <exception>
#include <span>
#include <utility>

#include "device/comm/host_route.hpp"
#include "device/comm/nccl_communicator.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

/// Runs `work`; the text of its exception, or nothing.
std::string failure_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return *error.what() == '\0' ? "an exception without a text" : error.what();
  }
  return {};
}

class OpenExchange final : public RankExchange {
 public:
  OpenExchange(Communicator& ranks, const DeviceMessages& messages,
               const std::function<std::unique_ptr<DeviceMemory>()>& open_memory,
               const std::function<nccl::Table()>& load)
      : host_(ranks.duplicate()), messages_(messages) {
    CudaAwareMpi wish = CudaAwareMpi::kAuto;
    together([&] {
      wish = cuda_aware_mpi_from(messages_.cuda_aware_mpi);
      memory_ = open_memory();
    });
    // Every rank takes the way that rank 0 was told.
    const std::int32_t own[] = {static_cast<std::int32_t>(wish), messages_.nccl ? 1 : 0};
    const std::vector<std::int32_t> told = host_->broadcast(std::span<const std::int32_t>(own), 0);
    wish = static_cast<CudaAwareMpi>(told[0]);
    std::string why_no_nccl;
    if (wish != CudaAwareMpi::kOn && told[1] != 0) {
      open_nccl(load, why_no_nccl);
      if (devices_) return;
    }
    // Takes no device memory on one rank: takes none on any, as all have the same library.
    together([&] { devices_ = make_host_route(*host_, *memory_, wish); });
    name_ = devices_->name() == "mpi" ? "CUDA-aware MPI" : "the host's memory";
    if (!why_no_nccl.empty()) name_ += " (" + why_no_nccl + ")";
  }

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] RankRows rows(std::int64_t count, std::int64_t unit) const override {
    return rows_of_rank(count, unit, host_->rank(), host_->size());
  }

  void gather(double* values, std::int64_t num_rows, std::int64_t unit, std::size_t width) override {
    if (devices_->is_on_stream()) {
      devices_->gather_rows(values, num_rows, unit, width);
      return;
    }
    // What went wrong on a rank is told before the others wait for its rows.
    agree({});
    try {
      devices_->gather_rows(values, num_rows, unit, width);
    } catch (const DeviceError& error) {
      // The others are inside a message, where no vote reaches them.
      if (messages_.end_all) messages_.end_all(fmt::format("rank {}: {}", host_->rank(), error.what()));
      all_know_ = true;
      throw;
    } catch (const CommError&) {
      all_know_ = true;
      throw;
    }
  }

  void begin(const std::function<void()>& enqueue) override {
    failure_.clear();
    if (devices_->is_on_stream()) {
      failure_ = failure_of(enqueue);
    } else {
      waiting_ = enqueue;
    }
  }

  void end() override {
    all_know_ = false;
    std::exception_ptr known;
    if (waiting_) {
      failure_ = failure_of([&] {
        try {
          waiting_();
        } catch (...) {
          if (all_know_) known = std::current_exception();
          throw;
        }
      });
      waiting_ = nullptr;
    }
    if (known) std::rethrow_exception(known);
    agree(failure_);
  }

  void together(const std::function<void()>& work) override { vote(*host_, failure_of(work)); }

  std::vector<double> tell(double own) override { return host_->all_gather(std::span<const double>(&own, 1)); }

 private:
  /// Waits for the stream, and lets all know of a failure on any.
  void agree(const std::string& failure) {
    try {
      devices_->wait(failure);
    } catch (...) {
      all_know_ = true;
      throw;
    }
  }

  /// Leaves `devices_` empty where a rank has no NCCL.
  void open_nccl(const std::function<nccl::Table()>& load, std::string& why_not) {
    nccl::Table table;
    int version = 0;
    const std::string failure = failure_of([&] {
      table = load();
      (void)table.get_version(&version);  // asked again, and checked, where it is opened
    });
    const std::int32_t own = failure.empty() ? 1 : 0;
    if (host_->all_reduce(std::span(&own, 1), Reduction::kMin)[0] == 0) {
      // The text of the lowest rank without it, on all.
      why_not = failure_of([&] { vote(*host_, failure); });
      return;
    }
    devices_ = make_nccl_communicator(std::move(table), *host_, *memory_,
                                      {.deadline = messages_.deadline,
                                       .grace = messages_.grace,
                                       .end_all = messages_.end_all,
                                       .cost = messages_.cost,
                                       .log = messages_.log});
    name_ = "NCCL " + nccl::version_text(version);
  }

  std::unique_ptr<Communicator> host_;
  DeviceMessages messages_;
  std::unique_ptr<DeviceMemory> memory_;
  std::unique_ptr<DeviceCommunicator> devices_;
  std::string name_;
  std::function<void()> waiting_;  ///< begun, for `end` to do
  std::string failure_;            ///< of what was begun
  bool all_know_ = false;          ///< of the failure that ends the exchange
};

}  // namespace

std::unique_ptr<RankExchange> open_rank_exchange(Communicator& ranks, const DeviceMessages& messages,
                                                 const std::function<std::unique_ptr<DeviceMemory>()>& open_memory,
                                                 const std::function<nccl::Table()>& load) {
  return std::make_unique<OpenExchange>(ranks, messages, open_memory, load);
}

}  // namespace sojourn
