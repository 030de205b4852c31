#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

struct DeviceTensor;
struct MomentLaneShape;
struct PrcArrays;

/// Moments of one reward for rates that are in a device's memory already.
class TensorMoments {
 public:
  virtual ~TensorMoments() = default;
  [[nodiscard]] virtual std::int64_t num_rates() const = 0;
  [[nodiscard]] virtual std::int64_t order() const = 0;
  [[nodiscard]] virtual bool has_gradient() const = 0;
  [[nodiscard]] virtual std::int64_t most_vectors() const = 0;
  /// Enqueues E[Y^k], k = 1..order, behind what `stream` has been given so far, and waits for nothing: no copy between
  /// host and device, no allocation. The arrays stay their owner's; calls share memory, so that those on different
  /// streams run one after another.
  ///
  /// @param rates     [K, num_rates()] doubles, K <= most_vectors(): the model's rates, which are its parameters unless
  ///   these are computed from them.
  /// @param values    [K, order()] doubles.
  /// @param gradient  [K, order() * num_rates()] doubles, by rate, order major; without derivatives anything.
  /// @param outcome   [K] 32-bit whole numbers: 0 where the numbers hold, else why the device has no answer there (2 a
  ///   rate or a weight is negative or not finite, 4 numbers left the range of double precision, 6 a derivative may
  ///   have lost more digits than it may); `Evaluator::moments` answers or explains these.
  /// @param stream    a cudaStream_t of this device; null: the default stream.
  /// @throws ShapeError, DeviceError. Strides are free.
  virtual void evaluate(const DeviceTensor& rates, const DeviceTensor& values, const DeviceTensor& gradient,
                        const DeviceTensor& outcome, void* stream) = 0;
};

/// Where a parameter vector's moments read their numbers, counted from the program and its mapping, not measured: two
/// operands a multiply-add of factors, fewer in a front's tiles, one and a half of a solve. Zeros where it is not
/// known.
struct MomentTraffic {
  std::string mapping;      ///< "levels, 32 lanes x 8 streams, shared factors"; empty: not known
  double shared_bytes = 0;  ///< from blocks' shared memory
  double cache_bytes = 0;   ///< from the second cache
  double memory_bytes = 0;  ///< these instead, where the slots of all lanes in work are more than the cache holds
};

/// One model's elimination program on a device: uploaded once, its moments evaluated many times.
class DeviceMoments {
 public:
  virtual ~DeviceMoments() = default;
  /// Moments of the vectors of rates phi [K, num_rates] in host memory, of as many orders and in the precision that
  /// `shape` says.
  ///
  /// @param reward    [rows], by row of the program.
  /// @param values    [K, order]; in single precision not finite where numbers left its range.
  /// @param gradient  [K, order, num_rates]; empty, as `in_doubt` [K], where `shape.gradient` is not set.
  /// @throws DeviceError; where memory is short only after halving the batch down to one block.
  virtual void evaluate(const MomentLaneShape& shape, MatrixView<const double> phi, std::span<const double> reward,
                        std::span<double> values, std::span<double> gradient, std::span<unsigned char> in_doubt) = 0;
  /// Room for as many vectors at once. @throws DeviceError.
  virtual std::unique_ptr<TensorMoments> on_tensors(const MomentLaneShape& shape, std::span<const double> reward,
                                                    std::int64_t most_vectors) = 0;
  /// Of one of so many vectors.
  [[nodiscard]] virtual MomentTraffic traffic(const MomentLaneShape&, std::int64_t /*num_vectors*/) const { return {}; }
};

/// A machine that evaluates moments of many parameter vectors at once.
class MomentDevice {
 public:
  virtual ~MomentDevice() = default;
  /// "cuda:0 NVIDIA H200, 139 GiB".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Uploads the program. @throws DeviceError.
  virtual std::unique_ptr<DeviceMoments> load(const PrcArrays& arrays) = 0;
};

/// What a device did for one evaluator, since it was given one.
struct MomentReport {
  std::string name;             ///< empty: no device
  std::int64_t num_served = 0;  ///< parameter vectors
  std::int64_t num_single = 0;  ///< of these, answered in single precision
  /// Vectors that the CPU did instead: the gradient may have lost digits; a number left the range of double precision.
  std::int64_t num_in_doubt = 0, num_not_finite = 0;
  MomentTraffic traffic;  ///< of the last batch
};

}  // namespace sojourn
