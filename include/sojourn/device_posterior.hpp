#pragma once

#include <cstdint>

#include "sojourn/device_tensor.hpp"

namespace sojourn {

/// Log densities with scores of particles that are in a device's memory already.
class DevicePosterior {
 public:
  virtual ~DevicePosterior() = default;
  [[nodiscard]] virtual std::int32_t dimension() const = 0;
  [[nodiscard]] virtual std::int64_t most_particles() const = 0;
  /// Enqueues the evaluation behind what `stream` has been given so far, and waits for nothing: no copy between host
  /// and device, no allocation. The arrays stay their owner's.
  ///
  /// @param z            [n, d] doubles on the unconstrained scale, n <= most_particles().
  /// @param log_density  [n] doubles.
  /// @param score        [n, d] doubles.
  /// @param outcome      [n] 32-bit whole numbers: 0 where the numbers hold, else why the device has no answer there
  ///   (1 needs finer data levels, 2 rates not allowed, 3 poles not proved real, 4 not certified, 5 interval too
  ///   narrow, 6 gradient in doubt); `Posterior::evaluate` answers these.
  /// @param stream       a cudaStream_t of this device; null: the default stream.
  /// @throws ShapeError, DeviceError. Strides are free, so that rows or columns may be contiguous.
  virtual void evaluate(const DeviceTensor& z, const DeviceTensor& log_density, const DeviceTensor& score,
                        const DeviceTensor& outcome, void* stream) = 0;
};

}  // namespace sojourn
