#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

struct MomentLaneShape;
struct PrcArrays;

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
};

}  // namespace sojourn
