#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

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
};

}  // namespace sojourn
