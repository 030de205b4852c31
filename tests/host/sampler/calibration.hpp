#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "host/sampler/analytic_targets.hpp"
#include "sampler/whitening.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::testing {

/// A target with its true marginal means and sds.
struct Calibrated {
  std::string name;
  AnalyticTarget target;
  std::vector<double> mean, sd;
};

/// Worst error of a set of particles: of the means in true sds, and of the sds as |ratio - 1|.
struct CalibrationError {
  double mean = 0, sd = 0;
  /// The bar of the suite: mean within 0.05 sd and sd within 5 %.
  [[nodiscard]] bool passes() const { return mean < 0.05 && sd < 0.05; }
};

inline CalibrationError calibration_error(const Calibrated& truth, MatrixView<const double> particles) {
  const std::vector<double> mean = particle_mean(particles);
  const Matrix<double> covariance = particle_covariance(particles, mean);
  CalibrationError error;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    error.mean = std::max(error.mean, std::abs(mean[c] - truth.mean[c]) / truth.sd[c]);
    error.sd = std::max(error.sd, std::abs(std::sqrt(covariance(c, c)) / truth.sd[c] - 1));
  }
  // A comparison with NaN is false, so a broken run must not look perfect.
  for (const double value : particles.row(0))
    if (!std::isfinite(value)) error.mean = HUGE_VAL;
  return error;
}

/// Marginal means and sds by the midpoint rule on a grid of `points` cells per axis; spectrally accurate for smooth
/// densities that vanish at the edge of the box.
inline void integrate_marginals(const Target& target, const std::vector<double>& lower,
                                const std::vector<double>& upper, int points, std::vector<double>& mean,
                                std::vector<double>& sd) {
  const std::size_t dim = lower.size();
  std::vector<double> z(dim), score(dim), first(dim, 0.0), second(dim, 0.0), value(1);
  std::vector<std::string> status(1);
  double total = 0;
  std::size_t cells = 1;
  for (std::size_t c = 0; c < dim; ++c) cells *= static_cast<std::size_t>(points);
  for (std::size_t cell = 0; cell < cells; ++cell) {
    std::size_t rest = cell;
    for (std::size_t c = 0; c < dim; ++c) {
      z[c] = lower[c] + (upper[c] - lower[c]) * (static_cast<double>(rest % points) + 0.5) / points;
      rest /= points;
    }
    target.evaluate({z.data(), 1, dim}, value, {score.data(), 1, dim}, status);
    const double weight = std::exp(value[0]);
    total += weight;
    for (std::size_t c = 0; c < dim; ++c) {
      first[c] += weight * z[c];
      second[c] += weight * z[c] * z[c];
    }
  }
  mean.resize(dim);
  sd.resize(dim);
  for (std::size_t c = 0; c < dim; ++c) {
    mean[c] = first[c] / total;
    sd[c] = std::sqrt(second[c] / total - mean[c] * mean[c]);
  }
}

/// Posterior of (mean, log precision) of 8 normal observations under a normal-gamma prior.
inline AnalyticTarget normal_gamma_posterior() {
  return AnalyticTarget(2, [](std::span<const double> z, std::span<double> score) {
    const double tau = std::exp(z[1]);
    const double squares = 6 + 8 * (0.7 - z[0]) * (0.7 - z[0]) + 0.1 * z[0] * z[0] + 2;
    score[0] = tau * (8 * (0.7 - z[0]) - 0.1 * z[0]);
    score[1] = 6.5 - 0.5 * tau * squares;
    return 6.5 * z[1] - 0.5 * tau * squares;
  });
}

/// Three log-gamma variables of shapes 2, 5, 10 seen through a shear.
inline AnalyticTarget sheared_log_gammas() {
  return AnalyticTarget(3, [](std::span<const double> z, std::span<double> score) {
    const double shape[3] = {2, 5, 10};
    const double y[3] = {z[0], z[1] - 0.5 * z[0], z[2] + 0.3 * z[1]};
    double value = 0, g[3];
    for (int c = 0; c < 3; ++c) {
      value += shape[c] * (y[c] - std::exp(y[c]) + 1);
      g[c] = shape[c] * (1 - std::exp(y[c]));
    }
    score[0] = g[0] - 0.5 * g[1];
    score[1] = g[1] + 0.3 * g[2];
    score[2] = g[2];
    return value;
  });
}

inline Calibrated log_gamma_case(double shape, double rate) {
  return {"log gamma " + std::to_string(shape),
          log_gamma(shape, rate),
          {digamma(shape) - std::log(rate)},
          {std::sqrt(trigamma(shape))}};
}

inline Calibrated gaussian_case(std::int32_t dim) {
  std::vector<double> scale, sd;
  for (std::int32_t c = 0; c < dim; ++c) {
    scale.push_back(c % 2 == 0 ? 1.5 : 0.3);
    sd.push_back(scale.back() * (c > 0 ? std::sqrt(1.25) : 1.0));
  }
  return {"gaussian " + std::to_string(dim), sheared_gaussian(dim, 0.5, scale),
          std::vector<double>(static_cast<std::size_t>(dim), 0.0), sd};
}

inline std::vector<Calibrated> calibration_cases() {
  std::vector<Calibrated> cases{log_gamma_case(1, 2), log_gamma_case(2, 2), log_gamma_case(30, 4),
                                gaussian_case(1),     gaussian_case(2),     gaussian_case(3)};
  cases.push_back(
      {"logit beta 2, 8", logit_beta(2, 8), {digamma(2) - digamma(8)}, {std::sqrt(trigamma(2) + trigamma(8))}});
  cases.push_back({"banana", banana(0.5, 0.5), {0, 0}, {1, std::sqrt(0.75)}});
  Calibrated normal{"normal gamma", normal_gamma_posterior(), {}, {}};
  integrate_marginals(normal.target, {-7, -7}, {8, 5}, 600, normal.mean, normal.sd);
  cases.push_back(normal);
  Calibrated gammas{"sheared log gammas", sheared_log_gammas(), {}, {}};
  integrate_marginals(gammas.target, {-14, -10, -6}, {4, 5, 6}, 110, gammas.mean, gammas.sd);
  cases.push_back(gammas);
  return cases;
}

}  // namespace sojourn::testing
