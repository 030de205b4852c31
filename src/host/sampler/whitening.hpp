#pragma once

#include <optional>
#include <vector>

#include "sampler/particle_block.hpp"
#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// Coordinates u = L^T (x - centre) with the lower Cholesky factor L of a precision P = L L^T, so that distances in the
/// metric of P are Euclidean in u. From there: scores s_u = L^{-1} s_x, gradients of functions of u map to L times
/// them, and points move by x += L^{-T} du.
class Whitening {
 public:
  /// The identity.
  explicit Whitening(std::int32_t dimension);
  /// @param factor L, [d, d], lower, positive diagonal.
  Whitening(MatrixView<const double> factor, std::vector<double> centre);
  /// Of the inverse of a covariance [d, d]; empty when it is not positive definite to working accuracy.
  static std::optional<Whitening> from_covariance(MatrixView<const double> covariance, std::vector<double> centre);

  [[nodiscard]] std::int32_t dimension() const { return dim_; }
  [[nodiscard]] MatrixView<const double> factor() const { return factor_.view(); }
  [[nodiscard]] const std::vector<double>& centre() const { return centre_; }
  [[nodiscard]] double log_determinant_factor() const;

  /// u of x [n, d]; fills the padding.
  void points(MatrixView<const double> x, ParticleBlock& u) const;
  /// L^{-1} s.
  void scores(MatrixView<const double> s, ParticleBlock& s_u) const;
  /// L v: gradients back to x.
  void gradients_back(const ParticleBlock& v, MatrixView<double> out) const;
  /// L^{-T} du: displacements back to x.
  void steps_back(const ParticleBlock& du, MatrixView<double> out) const;
  /// One displacement.
  void step_back(std::span<const double> du, std::span<double> out) const;

 private:
  std::int32_t dim_;
  Matrix<double> factor_;
  std::vector<double> centre_;
};

/// Mean [d] and covariance [d, d] (divisor n - 1), two passes, in index order.
std::vector<double> particle_mean(MatrixView<const double> x);
Matrix<double> particle_covariance(MatrixView<const double> x, std::span<const double> mean);

}  // namespace sojourn
