#pragma once

#include <chrono>
#include <functional>

#include "sojourn/target.hpp"

namespace sojourn {

/// A target that can be stopped inside a batch: it evaluates the rows in parts of about a quarter of a second and asks
/// between them, at most ten times a second, whether to go on. The values are the target's own, bit for bit, as a row's
/// numbers depend on that row alone.
class WatchedTarget final : public Target {
 public:
  /// Thrown by `evaluate` when the answer is no.
  struct Stopped {};

  /// `target` outlives this. A part has at least one row for each of `num_threads` (0: the default number).
  WatchedTarget(const Target& target, std::function<bool()> go_on, int num_threads);

  [[nodiscard]] std::int32_t dimension() const override { return target_.dimension(); }
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override;
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { target_.sample_prior(seed, z); }

 private:
  using Clock = std::chrono::steady_clock;
  const Target& target_;
  std::function<bool()> go_on_;
  std::size_t num_threads_;
  mutable std::size_t rows_per_part_;
  mutable Clock::time_point last_asked_ = Clock::now();
};

}  // namespace sojourn
