#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "device/support/batches.hpp"
#include "device/support/check.cuh"

namespace sojourn {

/// Owning array in device memory.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// @throws OutOfDeviceMemory naming the bytes asked for and free.
  explicit DeviceBuffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    const cudaError_t status = cudaMalloc(reinterpret_cast<void**>(&values_), size * sizeof(T));
    if (status == cudaErrorMemoryAllocation) {
      std::size_t free_bytes = 0, total_bytes = 0;
      cudaGetLastError();
      cudaMemGetInfo(&free_bytes, &total_bytes);
      throw OutOfDeviceMemory("CUDA: out of memory: asked for " + std::to_string(size * sizeof(T)) + " bytes, " +
                              std::to_string(free_bytes) + " of " + std::to_string(total_bytes) +
                              " are free; ask for fewer particles");
    }
    SOJOURN_CUDA_TRY(status);
  }
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
