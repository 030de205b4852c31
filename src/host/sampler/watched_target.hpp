#pragma once

#include <cstddef>
#include <functional>

#include "sojourn/target.hpp"

namespace sojourn {

/// Seconds since a fixed moment.
using ClockFunction = std::function<double()>;
/// This process's own.
double local_clock();

/// A target that can be stopped inside a batch: it evaluates the rows in parts of about a quarter of a second and asks
/// between them, every `seconds_between` at most, whether to go on. The values are the target's own, bit for bit, as a
/// row's numbers depend on that row alone. What is a part and when to ask is decided by the clock given, so that ranks
/// who share a clock ask together.
class WatchedTarget final : public Target {
 public:
  /// Thrown by `evaluate` when the answer is no.
  struct Stopped {};

  /// `target` outlives this. A part is a multiple of `turn` rows: one for each thread of each rank.
  WatchedTarget(const Target& target, std::function<bool()> go_on, std::size_t turn, ClockFunction clock = local_clock,
                double seconds_between = 0.1);

  [[nodiscard]] std::int32_t dimension() const override { return target_.dimension(); }
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override;
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { target_.sample_prior(seed, z); }

 private:
  const Target& target_;
  std::function<bool()> go_on_;
  std::size_t turn_;
  ClockFunction clock_;
  double seconds_between_;
  mutable std::size_t rows_per_part_;
  mutable double last_asked_;
};

}  // namespace sojourn
