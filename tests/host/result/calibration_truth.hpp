#pragma once

#include <Eigen/Dense>
#include <cmath>
#include <functional>
#include <span>
#include <vector>

/// Means and sds of densities in one to three dimensions by quadrature, for judging a whole inference.
namespace sojourn::calibration {

/// Log density on the unconstrained scale, up to a constant.
using LogDensity = std::function<double(std::span<const double> z)>;
/// A scalar of z whose mean and sd are wanted.
using Scalar = std::function<double(std::span<const double> z)>;

struct Moments {
  std::vector<double> mean, sd;
};

/// Tensor trapezoid rule over +-`reach` sds around `centre`, axes along the columns of `axes`.
class Quadrature {
 public:
  Quadrature(const LogDensity& log_density, const Eigen::VectorXd& centre, const Eigen::MatrixXd& axes, double reach,
             int points) {
    const auto dim = static_cast<int>(centre.size());
    std::size_t cells = 1;
    for (int c = 0; c < dim; ++c) cells *= static_cast<std::size_t>(points);
    Eigen::VectorXd u(dim);
    double highest = -HUGE_VAL;
    for (std::size_t cell = 0; cell < cells; ++cell) {
      std::size_t rest = cell;
      for (int c = 0; c < dim; ++c) {
        u(c) = reach * (2 * static_cast<double>(rest % points) / (points - 1) - 1);
        rest /= static_cast<std::size_t>(points);
      }
      nodes_.emplace_back(centre + axes * u);
      weights_.push_back(log_density({nodes_.back().data(), static_cast<std::size_t>(dim)}));
      highest = std::max(highest, weights_.back());
    }
    double total = 0;
    for (double& weight : weights_) total += weight = std::exp(weight - highest);
    for (double& weight : weights_) weight /= total;
  }

  [[nodiscard]] Eigen::VectorXd mean() const {
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(nodes_[0].size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) sum += weights_[i] * nodes_[i];
    return sum;
  }
  [[nodiscard]] Eigen::MatrixXd covariance() const {
    const Eigen::VectorXd centre = mean();
    Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(centre.size(), centre.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      sum += weights_[i] * (nodes_[i] - centre) * (nodes_[i] - centre).transpose();
    return sum;
  }
  [[nodiscard]] Moments moments(const std::vector<Scalar>& scalars) const {
    Moments out;
    for (const Scalar& scalar : scalars) {
      std::vector<double> values;
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        values.push_back(scalar({nodes_[i].data(), static_cast<std::size_t>(nodes_[i].size())}));
        mean += weights_[i] * values.back();
      }
      for (std::size_t i = 0; i < nodes_.size(); ++i) variance += weights_[i] * (values[i] - mean) * (values[i] - mean);
      out.mean.push_back(mean);
      out.sd.push_back(std::sqrt(variance));
    }
    return out;
  }

 private:
  std::vector<Eigen::VectorXd> nodes_;
  std::vector<double> weights_;
};

/// A first pass over the box finds the place, a second the shape, a third in whitened coordinates the answer: trapezoid
/// over +-7 sds, exponentially accurate for smooth densities.
inline Quadrature integrate(const LogDensity& log_density, const std::vector<double>& lower,
                            const std::vector<double>& upper, int points) {
  const auto dim = static_cast<Eigen::Index>(lower.size());
  Eigen::VectorXd centre(dim);
  Eigen::MatrixXd axes = Eigen::MatrixXd::Zero(dim, dim);
  for (Eigen::Index c = 0; c < dim; ++c) {
    centre(c) = 0.5 * (lower[c] + upper[c]);
    axes(c, c) = 0.5 * (upper[c] - lower[c]);
  }
  Quadrature pass(log_density, centre, axes, 1, points);
  for (int refinement = 0; refinement < 2; ++refinement) {
    axes = pass.covariance().llt().matrixL();
    centre = pass.mean();
    pass = Quadrature(log_density, centre, axes, 7, points);
  }
  return pass;
}

}  // namespace sojourn::calibration
