#include "sampler/whitening.hpp"

#include <Eigen/Dense>
#include <cmath>

namespace sojourn {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

Whitening::Whitening(std::int32_t dimension)
    : dim_(dimension),
      factor_(static_cast<std::size_t>(dimension), static_cast<std::size_t>(dimension)),
      centre_(static_cast<std::size_t>(dimension), 0.0) {
  for (std::size_t c = 0; c < centre_.size(); ++c) factor_(c, c) = 1;
}

Whitening::Whitening(MatrixView<const double> factor, std::vector<double> centre)
    : dim_(static_cast<std::int32_t>(factor.num_rows())),
      factor_(factor.num_rows(), factor.num_cols()),
      centre_(std::move(centre)) {
  for (std::size_t r = 0; r < factor.num_rows(); ++r)
    for (std::size_t c = 0; c <= r; ++c) factor_(r, c) = factor(r, c);
}

std::optional<Whitening> Whitening::from_covariance(MatrixView<const double> covariance, std::vector<double> centre) {
  const auto dim = static_cast<Eigen::Index>(covariance.num_rows());
  const Eigen::Map<const RowMatrix> c(covariance.data(), dim, dim);
  if (!c.allFinite()) return std::nullopt;
  // Standard deviations are divided out first, so that parameters of very different scale do not look singular.
  const Eigen::VectorXd variance = c.diagonal();
  if ((variance.array() <= 0).any()) return std::nullopt;
  const Eigen::VectorXd inverse_sd = variance.array().rsqrt();
  const Eigen::MatrixXd correlation = inverse_sd.asDiagonal() * c * inverse_sd.asDiagonal();
  const Eigen::LDLT<Eigen::MatrixXd> inverse(correlation);
  if (inverse.info() != Eigen::Success || inverse.vectorD().minCoeff() < 1e-14) return std::nullopt;
  Eigen::MatrixXd precision = inverse.solve(Eigen::MatrixXd::Identity(dim, dim));
  precision = 0.5 * (precision + precision.transpose().eval());
  const Eigen::LLT<Eigen::MatrixXd> root(precision);
  if (root.info() != Eigen::Success) return std::nullopt;
  const RowMatrix factor = inverse_sd.asDiagonal() * Eigen::MatrixXd(root.matrixL());
  if (!factor.allFinite()) return std::nullopt;
  return Whitening(MatrixView<const double>(factor.data(), covariance.num_rows(), covariance.num_cols()),
                   std::move(centre));
}

double Whitening::log_determinant_factor() const {
  double sum = 0;
  for (std::size_t c = 0; c < centre_.size(); ++c) sum += std::log(factor_(c, c));
  return sum;
}

void Whitening::points(MatrixView<const double> x, ParticleBlock& u) const {
  for (std::int64_t i = 0; i < u.count; ++i)
    for (std::int32_t c = 0; c < dim_; ++c) {
      double sum = 0;
      for (std::int32_t r = c; r < dim_; ++r) sum += factor_(r, c) * (x(i, r) - centre_[r]);
      u.at(i, c) = sum;
    }
  u.pad();
}

void Whitening::scores(MatrixView<const double> s, ParticleBlock& s_u) const {
  for (std::int64_t i = 0; i < s_u.count; ++i)
    for (std::int32_t r = 0; r < dim_; ++r) {
      double sum = s(i, r);
      for (std::int32_t c = 0; c < r; ++c) sum -= factor_(r, c) * s_u.at(i, c);
      s_u.at(i, r) = sum / factor_(r, r);
    }
}

void Whitening::gradients_back(const ParticleBlock& v, MatrixView<double> out) const {
  for (std::int64_t i = 0; i < v.count; ++i)
    for (std::int32_t r = 0; r < dim_; ++r) {
      double sum = 0;
      for (std::int32_t c = 0; c <= r; ++c) sum += factor_(r, c) * v.at(i, c);
      out(i, r) = sum;
    }
}

void Whitening::step_back(std::span<const double> du, std::span<double> out) const {
  for (std::int32_t c = dim_ - 1; c >= 0; --c) {
    double sum = du[c];
    for (std::int32_t r = c + 1; r < dim_; ++r) sum -= factor_(r, c) * out[r];
    out[c] = sum / factor_(c, c);
  }
}

void Whitening::steps_back(const ParticleBlock& du, MatrixView<double> out) const {
  std::vector<double> one(centre_.size());
  for (std::int64_t i = 0; i < du.count; ++i) {
    for (std::int32_t c = 0; c < dim_; ++c) one[c] = du.at(i, c);
    step_back(one, out.row(i));
  }
}

std::vector<double> particle_mean(MatrixView<const double> x) {
  std::vector<double> mean(x.num_cols(), 0.0);
  for (std::size_t i = 0; i < x.num_rows(); ++i)
    for (std::size_t c = 0; c < x.num_cols(); ++c) mean[c] += x(i, c);
  for (double& value : mean) value /= static_cast<double>(x.num_rows());
  return mean;
}

Matrix<double> particle_covariance(MatrixView<const double> x, std::span<const double> mean) {
  Matrix<double> covariance(x.num_cols(), x.num_cols());
  for (std::size_t i = 0; i < x.num_rows(); ++i)
    for (std::size_t a = 0; a < x.num_cols(); ++a)
      for (std::size_t b = 0; b <= a; ++b) covariance(a, b) += (x(i, a) - mean[a]) * (x(i, b) - mean[b]);
  for (std::size_t a = 0; a < x.num_cols(); ++a)
    for (std::size_t b = 0; b <= a; ++b) {
      covariance(a, b) /= static_cast<double>(x.num_rows() - 1);
      covariance(b, a) = covariance(a, b);
    }
  return covariance;
}

}  // namespace sojourn
