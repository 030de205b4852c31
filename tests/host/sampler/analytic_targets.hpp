#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/random.hpp"
#include "sojourn/target.hpp"

namespace sojourn::testing {

/// A target from a function of one point that returns the log density and writes the score. Prior draws are independent
/// normals of the given mean and sd per coordinate.
class AnalyticTarget : public Target {
 public:
  using Function = std::function<double(std::span<const double> z, std::span<double> score)>;
  AnalyticTarget(std::int32_t dimension, Function function, double prior_mean = 0, double prior_sd = 2)
      : dimension_(dimension), function_(std::move(function)), prior_mean_(prior_mean), prior_sd_(prior_sd) {}

  [[nodiscard]] std::int32_t dimension() const override { return dimension_; }
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override {
    for (std::size_t i = 0; i < z.num_rows(); ++i) {
      log_density[i] = function_(z.row(i), score.row(i));
      if (!std::isfinite(log_density[i])) status[i] = "outside";
    }
  }
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override {
    for (std::size_t i = 0; i < z.num_rows(); ++i) {
      PhiloxStream stream(seed, 77, i);
      for (std::size_t c = 0; c < z.num_cols(); ++c) z(i, c) = prior_mean_ + prior_sd_ * stream.next_normal();
    }
  }

 private:
  std::int32_t dimension_;
  Function function_;
  double prior_mean_, prior_sd_;
};

/// Standard normal in d dimensions seen through x = scale_c (y_c + tilt y_{c-1}): correlated, of unequal scales.
/// The mean is 0 and the covariance A A^T with A = diag(scale) (I + tilt * subdiagonal).
inline AnalyticTarget sheared_gaussian(std::int32_t dim, double tilt, std::vector<double> scale, double prior_sd = 2) {
  return AnalyticTarget(
      dim,
      [=](std::span<const double> z, std::span<double> score) {
        std::vector<double> y(z.size());
        double value = 0;
        for (std::size_t c = 0; c < z.size(); ++c) {
          y[c] = z[c] / scale[c] - (c > 0 ? tilt * y[c - 1] : 0.0);
          value -= 0.5 * y[c] * y[c];
        }
        // d/dz of -|y|^2/2: back substitution with the transposed map.
        std::vector<double> adjoint(z.size());
        for (std::size_t c = z.size(); c-- > 0;) adjoint[c] = -y[c] - (c + 1 < z.size() ? tilt * adjoint[c + 1] : 0.0);
        for (std::size_t c = 0; c < z.size(); ++c) score[c] = adjoint[c] / scale[c];
        return value;
      },
      0, prior_sd);
}

/// log of a gamma(shape, rate) variable: shape z - rate e^z. Posterior of exponential data under a gamma prior on the
/// log scale, Jacobian included. Mean digamma(shape) - log(rate), variance trigamma(shape).
inline AnalyticTarget log_gamma(double shape, double rate) {
  return AnalyticTarget(1, [=](std::span<const double> z, std::span<double> score) {
    score[0] = shape - rate * std::exp(z[0]);
    return shape * z[0] - rate * std::exp(z[0]);
  });
}

/// logit of a beta(a, b) variable. Mean digamma(a) - digamma(b), variance trigamma(a) + trigamma(b).
inline AnalyticTarget logit_beta(double a, double b) {
  return AnalyticTarget(1, [=](std::span<const double> z, std::span<double> score) {
    const double p = 1 / (1 + std::exp(-z[0]));
    score[0] = a - (a + b) * p;
    return -a * std::log1p(std::exp(-z[0])) - b * std::log1p(std::exp(z[0]));
  });
}

/// Banana: x ~ N(0, 1), y | x ~ N(bend (x^2 - 1), width^2). Means 0, variances 1 and 2 bend^2 + width^2.
inline AnalyticTarget banana(double bend, double width) {
  return AnalyticTarget(2, [=](std::span<const double> z, std::span<double> score) {
    const double residual = (z[1] - bend * (z[0] * z[0] - 1)) / (width * width);
    score[0] = -z[0] + residual * 2 * bend * z[0];
    score[1] = -residual;
    return -0.5 * z[0] * z[0] - 0.5 * residual * residual * width * width;
  });
}

/// digamma and trigamma for x > 0: recurrence up to 20, then the asymptotic series (error below 1e-15).
inline double digamma(double x) {
  double sum = 0;
  for (; x < 20; ++x) sum -= 1 / x;
  const double w = 1 / (x * x);
  return sum + std::log(x) - 0.5 / x - w * (1.0 / 12 - w * (1.0 / 120 - w * (1.0 / 252 - w / 240)));
}
inline double trigamma(double x) {
  double sum = 0;
  for (; x < 20; ++x) sum += 1 / (x * x);
  const double w = 1 / (x * x);
  return sum + 1 / x + 0.5 * w + w / x * (1.0 / 6 - w * (1.0 / 30 - w * (1.0 / 42 - w / 30)));
}

}  // namespace sojourn::testing
