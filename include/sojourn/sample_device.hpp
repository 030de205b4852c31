#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace sojourn {

class JumpTable;
struct DeviceTensor;

/// Draws of one chain that stay in a device's memory.
class TensorDraws {
 public:
  virtual ~TensorDraws() = default;
  [[nodiscard]] virtual std::int64_t num_rewards() const = 0;
  /// Enqueues draws number first, first + 1, ... of `seed` behind what `stream` has been given so far, and waits for
  /// nothing: no copy between host and device, no allocation. The bits are those of `SampleDevice::draw`.
  ///
  /// @param draws   [n, num_rewards()] doubles of the caller's, strides free.
  /// @param stream  a cudaStream_t of this device; null: the default stream.
  /// @throws ShapeError, UsageError for first < 0, DeviceError.
  virtual void draw(std::uint64_t seed, std::int64_t first, const DeviceTensor& draws, void* stream) = 0;
};

/// A machine that draws many paths of a chain at once.
class SampleDevice {
 public:
  virtual ~SampleDevice() = default;
  /// "cuda:0 NVIDIA H200, 139 GiB".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Draws 0, 1, ... of `seed` into `draws` [num_draws, rewards], in host memory. A draw's bits depend on (seed, its
  /// number) alone. @throws DeviceError; where memory is short only after halving the batch down to one block.
  virtual void draw(const JumpTable& table, std::uint64_t seed, std::int64_t num_draws, std::span<double> draws) = 0;
  /// Uploads the table. @throws DeviceError.
  virtual std::unique_ptr<TensorDraws> on_tensors(const JumpTable& table) = 0;
};

}  // namespace sojourn
