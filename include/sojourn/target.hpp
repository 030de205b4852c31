#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"
#include "sojourn/svgd_device.hpp"

namespace sojourn {

struct SvgdOptions;

/// A log-density on R^d with its score: what samplers move particles on.
class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual std::int32_t dimension() const = 0;
  /// log density [n] and score [n, d] (an empty view: density alone) at z [n, d]. A particle that cannot be evaluated
  /// gets NaN and a status text
  /// (`status` [n], empty strings mean fine). Never throws for a bad particle. Thread count never changes the bits.
  virtual void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                        std::vector<std::string>& status) const = 0;
  /// Draws from the prior on the unconstrained scale; row i depends on (seed, i) alone.
  virtual void sample_prior(std::uint64_t seed, MatrixView<double> z) const = 0;
  /// What takes over whole iterations of a run on this target where a device evaluates it; it does not outlive the
  /// target. Null where nothing does; `why_not` then says why, or stays empty where there is no device.
  [[nodiscard]] virtual std::unique_ptr<DeviceCloud> cloud_on_device(const SvgdOptions& options,
                                                                     std::string& why_not) const {
    (void)options;
    why_not.clear();
    return nullptr;
  }
};

}  // namespace sojourn
