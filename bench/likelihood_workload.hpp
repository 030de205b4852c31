#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "workload.hpp"

namespace sojourn::bench {

/// Equally spaced, so that scipy's expm_multiply takes its fast path for many times. The range is what a data set of
/// 1,000 draws spans: the law's quantiles at 0.0005 and 0.9995 at the centre of the particles.
inline constexpr double kFirstTime = 0.745, kLastTime = 26.6;
inline constexpr double kSpread = 0.2;

/// Log-likelihoods of a two-deme coalescent of 10 samples by block sizes (479 states), 4 parameters.
class LikelihoodWorkload {
 public:
  /// `migration` scales both migration rates: 1e6 makes the chain stiff and leaves the law of the same size.
  LikelihoodWorkload(std::size_t num_particles, std::size_t num_times, double migration = 1, int num_threads = 1)
      : num_times_(num_times),
        posterior_(make_model(), make_observations(num_times), make_priors(), {}, make_model().graph.unit_reward(),
                   {.num_threads = num_threads}),
        theta_(scattered_particles(kCentre, kSpread, num_particles)) {
    for (std::size_t k = 0; k < num_particles; ++k) {
      theta_(k, 2) *= migration;
      theta_(k, 3) *= migration;
    }
  }

  [[nodiscard]] const Posterior& posterior() const { return posterior_; }
  [[nodiscard]] std::size_t num_particles() const { return theta_.num_rows(); }
  [[nodiscard]] std::size_t num_times() const { return num_times_; }
  [[nodiscard]] const Matrix<double>& theta() const { return theta_; }

  /// Log-likelihoods [K] of the first K particles. @throws std::runtime_error where one fails.
  std::vector<double> evaluate(std::size_t num_particles, bool gradient) const {
    std::vector<double> value(num_particles);
    Matrix<double> slope(gradient ? num_particles : 0, theta_.num_cols());
    std::vector<std::string> status(num_particles);
    posterior_.log_likelihood({theta_.row(0).data(), num_particles, theta_.num_cols()}, value, slope.view(), status);
    for (const std::string& text : status)
      if (!text.empty()) throw std::runtime_error(text);
    return value;
  }

 private:
  static constexpr double kCentre[] = {1.0, 0.7, 0.5, 0.3};
  static Model make_model() {
    const std::vector<std::int32_t> samples{5, 5};
    return structured_coalescent_blocks(samples);
  }
  static Observations make_observations(std::size_t num_times) {
    std::vector<double> times(num_times);
    for (std::size_t i = 0; i < num_times; ++i) {
      times[i] = kFirstTime + (kLastTime - kFirstTime) * static_cast<double>(i) / static_cast<double>(num_times - 1);
    }
    return exact_observations(times, TimeKind::kContinuous, "bench");
  }
  static std::map<std::string, Prior> make_priors() {
    std::map<std::string, Prior> priors;
    for (const Parameter& parameter : make_model().parameters)
      priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 1));
    return priors;
  }

  std::size_t num_times_;
  Posterior posterior_;
  Matrix<double> theta_;
};

}  // namespace sojourn::bench
