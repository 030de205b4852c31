#include <array>
#include <vector>

#include "device/comm/cuda_memory.hpp"
#include "device/support/check.cuh"

namespace sojourn {
namespace {

class CudaMemory final : public DeviceMemory {
 public:
  CudaMemory(int index, void* stream) : stream_(static_cast<cudaStream_t>(stream)) {
    std::array<char, 64> bus{};
    SOJOURN_CUDA_TRY(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), index));
    bus_ = bus.data();
  }
  ~CudaMemory() override {
    for (const cudaEvent_t mark : marks_) cudaEventDestroy(mark);
  }
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;
  void to_host(void* host, const void* device, std::size_t num_bytes) override {
    move(host, device, num_bytes);
    synchronize();
  }
  void to_device(void* device, const void* host, std::size_t num_bytes) override {
    move(device, host, num_bytes);
    synchronize();  // the host's memory is the caller's again
  }
  void copy(void* to, const void* from, std::size_t num_bytes) override { move(to, from, num_bytes); }
  [[nodiscard]] bool is_idle() override { return SOJOURN_CUDA_DONE(cudaStreamQuery(stream_)); }
  void synchronize() override { SOJOURN_CUDA_TRY(cudaStreamSynchronize(stream_)); }
  void mark() override {
    if (num_marks_ == marks_.size()) {
      cudaEvent_t mark = nullptr;
      SOJOURN_CUDA_TRY(cudaEventCreate(&mark));
      marks_.push_back(mark);
    }
    SOJOURN_CUDA_TRY(cudaEventRecord(marks_[num_marks_], stream_));
    ++num_marks_;
  }
  double take_seconds() override {
    double seconds = 0;
    for (std::size_t i = 1; i < num_marks_; i += 2) {
      float milliseconds = 0;
      SOJOURN_CUDA_TRY(cudaEventElapsedTime(&milliseconds, marks_[i - 1], marks_[i]));
      seconds += 1e-3 * static_cast<double>(milliseconds);
    }
    num_marks_ = 0;
    return seconds;
  }
  [[nodiscard]] void* stream() const override { return stream_; }
  [[nodiscard]] std::string bus_id() const override { return bus_; }

 private:
  void move(void* to, const void* from, std::size_t num_bytes) {
    if (num_bytes > 0) SOJOURN_CUDA_TRY(cudaMemcpyAsync(to, from, num_bytes, cudaMemcpyDefault, stream_));
  }

  cudaStream_t stream_;
  std::string bus_;
  std::vector<cudaEvent_t> marks_;  ///< made once, recorded again
  std::size_t num_marks_ = 0;       ///< since seconds were taken
};

}  // namespace

std::unique_ptr<DeviceMemory> make_cuda_memory(int index, void* stream) {
  return std::make_unique<CudaMemory>(index, stream);
}

}  // namespace sojourn
