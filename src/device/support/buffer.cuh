#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "device/support/batches.hpp"
#include "device/support/check.cuh"

namespace sojourn {

/// Memory of the current device, for `allocate_or_throw`.
struct CudaDriver {
  /// @throws DeviceError for what is no lack of memory.
  [[nodiscard]] void* allocate(std::size_t bytes) const {
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return nullptr;
    }
    SOJOURN_CUDA_TRY(status);
    return memory;
  }
  [[nodiscard]] std::pair<std::size_t, std::size_t> free_and_total_bytes() const {
    std::size_t free_bytes = 0, total_bytes = 0;
    cudaMemGetInfo(&free_bytes, &total_bytes);
    return {free_bytes, total_bytes};
  }
};

/// Owning array in device memory.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// @throws OutOfDeviceMemory naming the bytes asked for and free.
  explicit DeviceBuffer(std::size_t size)
      : values_(size == 0 ? nullptr : static_cast<T*>(allocate_or_throw(CudaDriver{}, size * sizeof(T)))),
        size_(size) {}
  ~DeviceBuffer() { cudaFree(values_); }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : values_(std::exchange(other.values_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(size_, other.size_);
    return *this;
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  [[nodiscard]] T* data() const { return values_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  void upload(std::span<const T> host, cudaStream_t stream) {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(values_, host.data(), host.size_bytes(), cudaMemcpyHostToDevice, stream));
  }
  void download(std::span<T> host, cudaStream_t stream) const {
    SOJOURN_CUDA_TRY(cudaMemcpyAsync(host.data(), values_, host.size_bytes(), cudaMemcpyDeviceToHost, stream));
  }

 private:
  T* values_ = nullptr;
  std::size_t size_ = 0;
};

/// Owning array in the host's memory, at an address that does not change: copies from and to a device reach it beside
/// other work.
template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::size_t size) : size_(size) {
    if (size > 0) SOJOURN_CUDA_TRY(cudaMallocHost(reinterpret_cast<void**>(&values_), size * sizeof(T)));
  }
  ~PinnedBuffer() { cudaFreeHost(values_); }
  PinnedBuffer(PinnedBuffer&& other) noexcept
      : values_(std::exchange(other.values_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(size_, other.size_);
    return *this;
  }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  [[nodiscard]] T* data() const { return values_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  T* values_ = nullptr;
  std::size_t size_ = 0;
};

/// Owning stream.
class DeviceStream {
 public:
  DeviceStream() { SOJOURN_CUDA_TRY(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~DeviceStream() { cudaStreamDestroy(stream_); }
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;
  [[nodiscard]] cudaStream_t get() const { return stream_; }
  void synchronize() const { SOJOURN_CUDA_TRY(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Owning event that only orders streams.
class DeviceEvent {
 public:
  DeviceEvent() { SOJOURN_CUDA_TRY(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~DeviceEvent() { cudaEventDestroy(event_); }
  DeviceEvent(const DeviceEvent&) = delete;
  DeviceEvent& operator=(const DeviceEvent&) = delete;
  [[nodiscard]] cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace sojourn
