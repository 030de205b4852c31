#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sojourn/device_posterior.hpp"
#include "sojourn/matrix_view.hpp"
#include "sojourn/svgd_device.hpp"

namespace sojourn {

struct LikelihoodTables;
struct ParameterTables;
struct PrcArrays;
struct SvgdOptions;

/// What a device made of K vectors of rates.
struct DeviceValues {
  std::vector<double> value;              ///< [K] log likelihood
  std::vector<double> error_bound;        ///< [K] largest relative bound among the law's values
  std::vector<double> compression_error;  ///< [K] relative; 0 at the exact level
  std::vector<double> by_rate;            ///< [K, num_rates], or empty
  std::vector<std::int32_t> outcome;      ///< [K] `LaneOutcome`: where it is not kDone the numbers hold nothing
  std::vector<char> by_steps;             ///< [K] 1 where steps answered, 0: the shared contour

  /// Room for K vectors; `num_rates` 0: without gradient.
  void resize(std::size_t count, std::size_t num_rates) {
    for (std::vector<double>* numbers : {&value, &error_bound, &compression_error}) numbers->resize(count);
    by_rate.resize(count * num_rates);
    outcome.resize(count);
    by_steps.assign(count, 0);
  }
};

/// One level of a data set on a device: uploaded once, evaluated many times.
class DeviceLevel {
 public:
  virtual ~DeviceLevel() = default;
  /// Rates phi [K, num_rates] in host memory. A vector's bits depend on it alone, not on K or its place.
  /// @throws DeviceError; where memory is short only after halving the batch down to one block.
  virtual void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) = 0;
  /// Particles of a run whose likelihoods are those of this level, which outlives them; null where there are none.
  /// Nothing else is evaluated while they are asked to move. `name` is for messages. @throws DeviceError.
  virtual std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables& /*parameters*/, const SvgdOptions& /*options*/,
                                                  const std::string& /*name*/) {
    return nullptr;
  }
  /// The posterior of these parameters for particles on the device; null where there is none. It does not outlive this.
  /// @throws DeviceError.
  virtual std::unique_ptr<DevicePosterior> make_posterior(const ParameterTables& /*parameters*/,
                                                          std::int64_t /*most_particles*/) {
    return nullptr;
  }
};

/// A machine that evaluates likelihoods of many particles at once.
class LikelihoodDevice {
 public:
  /// Told of anything a user should know, such as batches halved for lack of memory.
  using Report = std::function<void(const std::string&)>;

  virtual ~LikelihoodDevice() = default;
  /// "cuda:0 NVIDIA H200, 139 GiB".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Uploads what all evaluations share. @throws DeviceError.
  virtual std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) = 0;
};

/// What a device did for one posterior, since it was given one.
struct DeviceReport {
  std::string name;               ///< empty: no device
  std::int64_t num_served = 0;    ///< evaluations of the likelihood on the device
  std::int64_t num_by_steps = 0;  ///< of these, by steps: of uniformization, or of counts
  /// Evaluations that the device could not answer, which the CPU then did; they sum to `num_on_cpu`.
  std::int64_t num_bad_rates = 0, num_not_real = 0, num_uncertified = 0, num_narrow = 0, num_in_doubt = 0,
               num_coarse = 0, num_many_steps = 0;
  [[nodiscard]] std::int64_t num_on_cpu() const {
    return num_bad_rates + num_not_real + num_uncertified + num_narrow + num_in_doubt + num_coarse + num_many_steps;
  }
};

}  // namespace sojourn
