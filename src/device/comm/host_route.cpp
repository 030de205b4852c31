#include "device/comm/host_route.hpp"

#include <algorithm>
#include <vector>

#include "expects.hpp"

namespace sojourn {
namespace {

/// What ranks of a device each do on the host's way: messages are done when their calls return.
void wait_for_all(Communicator& host, DeviceMemory& memory, std::string failure) {
  try {
    memory.synchronize();
  } catch (const DeviceError& error) {
    if (failure.empty()) failure = error.what();
  }
  vote(host, failure);
}

}  // namespace

/// Named in `Communicator` as one that may pass pointers which are none of the host's.
class DirectDeviceCommunicator final : public DeviceCommunicator {
 public:
  DirectDeviceCommunicator(Communicator& host, DeviceMemory& memory) : host_(host), memory_(memory) {
    SOJOURN_EXPECTS(
        host.takes_device_memory(), CommError,
        "rank {}: {} takes no device memory; unset SOJOURN_CUDA_AWARE_MPI, and messages go through the host",
        host.rank(), host.name());
  }

  [[nodiscard]] int rank() const override { return host_.rank(); }
  [[nodiscard]] int size() const override { return host_.size(); }
  [[nodiscard]] std::string name() const override { return "mpi"; }

  void all_gather(const void* own, void* all, std::size_t num_bytes) override {
    auto* const to = static_cast<std::byte*>(all);
    std::byte* const place = to + num_bytes * static_cast<std::size_t>(rank());
    memory_.synchronize();
    if (own != place || num_bytes == 0) {
      host_.all_gather_bytes({static_cast<const std::byte*>(own), num_bytes},
                             {to, num_bytes * static_cast<std::size_t>(size())});
      return;
    }
    // MPI forbids that what is sent lies in what is received; blocks one by one have no such bound.
    for (int root = 0; root < size(); ++root)
      host_.broadcast_bytes({to + num_bytes * static_cast<std::size_t>(root), num_bytes}, root);
  }
  void broadcast(void* values, std::size_t num_bytes, int root) override {
    memory_.synchronize();
    host_.broadcast_bytes({static_cast<std::byte*>(values), num_bytes}, root);
  }
  void all_reduce(const double* own, double* result, std::size_t num_elements, Reduction reduction) override {
    SOJOURN_EXPECTS(own != result || num_elements == 0, UsageError,
                    "all_reduce by MPI: the result must not lie where the rank's own values are");
    memory_.synchronize();
    host_.reduce_elements(Communicator::Scope::kAll, own, result, num_elements, ElementType::kDouble, reduction, 0);
  }
  using DeviceCommunicator::wait;
  void wait(const std::string& failure) override { wait_for_all(host_, memory_, failure); }

 private:
  Communicator& host_;
  DeviceMemory& memory_;
};

namespace {

class StagedDeviceCommunicator final : public DeviceCommunicator {
 public:
  StagedDeviceCommunicator(Communicator& host, DeviceMemory& memory, std::size_t chunk_bytes)
      : host_(host), memory_(memory), chunk_(chunk_bytes) {
    SOJOURN_EXPECTS(chunk_bytes > 0 && chunk_bytes % sizeof(double) == 0, UsageError,
                    "chunks of {} bytes: must be a multiple of {} above 0", chunk_bytes, sizeof(double));
  }

  [[nodiscard]] int rank() const override { return host_.rank(); }
  [[nodiscard]] int size() const override { return host_.size(); }
  [[nodiscard]] std::string name() const override { return "host"; }

  void all_gather(const void* own, void* all, std::size_t num_bytes) override {
    // The host holds the blocks of all ranks.
    const std::size_t chunk = std::max<std::size_t>(chunk_ / static_cast<std::size_t>(size()), 1);
    in_chunks(num_bytes, chunk, [&](std::size_t first, std::size_t count) {
      stage_.resize(count);
      memory_.to_host(stage_.data(), static_cast<const std::byte*>(own) + first, count);
      const std::vector<std::byte> gathered = host_.all_gather<std::byte>(stage_);
      for (std::size_t r = 0; r < static_cast<std::size_t>(size()); ++r)
        memory_.to_device(static_cast<std::byte*>(all) + r * num_bytes + first, gathered.data() + r * count, count);
    });
  }
  void broadcast(void* values, std::size_t num_bytes, int root) override {
    in_chunks(num_bytes, chunk_, [&](std::size_t first, std::size_t count) {
      std::byte* const place = static_cast<std::byte*>(values) + first;
      stage_.resize(count);
      if (rank() == root) memory_.to_host(stage_.data(), place, count);
      const std::vector<std::byte> received = host_.broadcast<std::byte>(stage_, root);
      if (rank() != root) memory_.to_device(place, received.data(), count);
    });
  }
  void all_reduce(const double* own, double* result, std::size_t num_elements, Reduction reduction) override {
    in_chunks(num_elements, chunk_ / sizeof(double), [&](std::size_t first, std::size_t count) {
      std::vector<double> values(count);
      memory_.to_host(values.data(), own + first, count * sizeof(double));
      values = host_.all_reduce<double>(values, reduction);
      memory_.to_device(result + first, values.data(), count * sizeof(double));
    });
  }
  using DeviceCommunicator::wait;
  void wait(const std::string& failure) override { wait_for_all(host_, memory_, failure); }

 private:
  template <class Work>
  static void in_chunks(std::size_t total, std::size_t chunk, Work&& work) {
    for (std::size_t first = 0; first < total; first += chunk) work(first, std::min(chunk, total - first));
  }

  Communicator& host_;
  DeviceMemory& memory_;
  std::size_t chunk_;
  std::vector<std::byte> stage_;
};

}  // namespace

std::unique_ptr<DeviceCommunicator> make_direct_device_communicator(Communicator& host, DeviceMemory& memory) {
  return std::make_unique<DirectDeviceCommunicator>(host, memory);
}

std::unique_ptr<DeviceCommunicator> make_staged_device_communicator(Communicator& host, DeviceMemory& memory,
                                                                    std::size_t chunk_bytes) {
  return std::make_unique<StagedDeviceCommunicator>(host, memory, chunk_bytes);
}

std::unique_ptr<DeviceCommunicator> make_host_route(Communicator& host, DeviceMemory& memory, CudaAwareMpi wish) {
  expect_cuda_aware(host, wish);
  if (wish == CudaAwareMpi::kOff || !host.takes_device_memory()) return make_staged_device_communicator(host, memory);
  return make_direct_device_communicator(host, memory);
}

}  // namespace sojourn
