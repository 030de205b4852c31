#include "sampler/whitening.hpp"

#include <cmath>

#include "common/strided.hpp"
#include "common/svgd_metric.hpp"

namespace sojourn {
namespace {

Strided<double> particle(ParticleBlock& block, std::int64_t i) { return {block.values.data() + i, block.stride}; }
Strided<const double> particle(const ParticleBlock& block, std::int64_t i) {
  return {block.values.data() + i, block.stride};
}

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
  Matrix<double> factor(covariance.num_rows(), covariance.num_cols()), scratch = factor;
  if (!svgd_metric::factor_of_covariance(static_cast<int>(covariance.num_rows()), covariance.data(),
                                         factor.values().data(), scratch.values().data()))
    return std::nullopt;
  return Whitening(factor.view(), std::move(centre));
}

double Whitening::log_determinant_factor() const {
  double sum = 0;
  for (std::size_t c = 0; c < centre_.size(); ++c) sum += std::log(factor_(c, c));
  return sum;
}

void Whitening::points(MatrixView<const double> x, ParticleBlock& u) const {
  for (std::int64_t i = 0; i < u.count; ++i)
    svgd_metric::whiten_point(dim_, factor_.values().data(), centre_.data(), x.row(i), particle(u, i));
  u.pad();
}

void Whitening::scores(MatrixView<const double> s, ParticleBlock& s_u) const {
  for (std::int64_t i = 0; i < s_u.count; ++i)
    svgd_metric::whiten_score(dim_, factor_.values().data(), s.row(i), particle(s_u, i));
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
  svgd_metric::step_back(dim_, factor_.values().data(), du, out);
}

void Whitening::steps_back(const ParticleBlock& du, MatrixView<double> out) const {
  for (std::int64_t i = 0; i < du.count; ++i)
    svgd_metric::step_back(dim_, factor_.values().data(), particle(du, i), out.row(i));
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
