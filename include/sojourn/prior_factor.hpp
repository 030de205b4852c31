#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sojourn/posterior.hpp"
#include "sojourn/target.hpp"

namespace sojourn {

/// The log of a factor of one's own at the natural values of the free parameters [d], in the order of
/// `Posterior::free`. Writes its derivatives by them to `slope` [d], unless that is empty. -inf and NaN refuse a place.
/// Called by several threads at once; every rank of a run has the same.
using LogPriorFactor = std::function<double(std::span<const double> theta, std::span<double> slope)>;

/// A posterior times a factor of one's own: a prior that `Prior` has no family for, or one of several parameters
/// together. A parameter whose prior is the factor alone gets a `Prior` that is flat on its range. Starts are drawn
/// from the posterior's own priors. Factors are evaluated by the CPU: particles do not stay on a device between
/// iterations.
class PosteriorWithFactor final : public Target {
 public:
  /// `posterior` outlives this. @throws UsageError for a factor that is empty.
  PosteriorWithFactor(const Posterior& posterior, LogPriorFactor log_factor);

  [[nodiscard]] std::int32_t dimension() const override { return posterior_.dimension(); }
  /// As `Posterior::evaluate`; a place where the factor's log or its derivatives are not finite gets a status text.
  /// Exceptions of the factor's are status texts too. Cost: the posterior's and one call of the factor for each row.
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override;
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { posterior_.sample_prior(seed, z); }
  [[nodiscard]] std::unique_ptr<DeviceCloud> cloud_on_device(const SvgdOptions& options,
                                                             std::string& why_not) const override;

 private:
  /// Adds the factor to one row that the posterior answered; what is wrong with it, or nothing.
  std::string add(std::span<const double> z, double& log_density, std::span<double> score) const;

  const Posterior& posterior_;
  LogPriorFactor log_factor_;
};

}  // namespace sojourn
