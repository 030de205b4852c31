#pragma once

#include <cmath>
#include <cstdint>

#include "common/host_device.hpp"

/// The metric that SVGD whitens particles with, for host and device: u = L^T (x - centre) with the lower Cholesky
/// factor L [d, d], row-major, of a precision. `Vector` types are anything with operator[], such as pointers or
/// `Strided`.
namespace sojourn::svgd_metric {

template <class X, class U>
SOJOURN_HD inline void whiten_point(int dim, const double* factor, const double* centre, const X& x, const U& u) {
  for (int c = 0; c < dim; ++c) {
    double sum = 0;
    for (int r = c; r < dim; ++r) sum += factor[r * dim + c] * (x[r] - centre[r]);
    u[c] = sum;
  }
}

/// L^{-1} s.
template <class S, class U>
SOJOURN_HD inline void whiten_score(int dim, const double* factor, const S& s, const U& whitened) {
  for (int r = 0; r < dim; ++r) {
    double sum = s[r];
    for (int c = 0; c < r; ++c) sum -= factor[r * dim + c] * whitened[c];
    whitened[r] = sum / factor[r * dim + r];
  }
}

/// L^{-T} du; `out` may be `du` itself.
template <class U, class X>
SOJOURN_HD inline void step_back(int dim, const double* factor, const U& du, const X& out) {
  for (int c = dim - 1; c >= 0; --c) {
    double sum = du[c];
    for (int r = c + 1; r < dim; ++r) sum -= factor[r * dim + c] * out[r];
    out[c] = sum / factor[c * dim + c];
  }
}

/// L of the inverse of a covariance; false, and `factor` of no use, where that is not positive definite to working
/// accuracy. Standard deviations are divided out first, so that parameters of very different scale do not look
/// singular. With the correlations C = U U^T, U upper triangular, L = diag(sd)^{-1} U^{-T}: nothing is inverted but a
/// triangle. `scratch` [d, d].
SOJOURN_HD inline bool factor_of_covariance(int dim, const double* covariance, double* factor, double* scratch) {
  constexpr double kSmallestPivot = 1e-14;
  double* const u = scratch;
  for (int a = 0; a < dim; ++a)
    if (!(covariance[a * dim + a] > 0)) return false;
  for (int c = dim - 1; c >= 0; --c)
    for (int r = c; r >= 0; --r) {
      double sum = covariance[r * dim + c] / (std::sqrt(covariance[r * dim + r]) * std::sqrt(covariance[c * dim + c]));
      for (int k = c + 1; k < dim; ++k) sum -= u[r * dim + k] * u[c * dim + k];
      if (r == c && !(sum >= kSmallestPivot)) return false;
      u[r * dim + c] = r == c ? std::sqrt(sum) : sum / u[c * dim + c];
    }
  // Row c of U^{-1} is column c of U^{-T}, by back substitution; what is not a number shows in the end.
  bool finite = true;
  for (int c = 0; c < dim; ++c) {
    for (int r = 0; r < c; ++r) factor[r * dim + c] = 0;
    factor[c * dim + c] = 1 / u[c * dim + c];
    for (int r = c + 1; r < dim; ++r) {
      double sum = 0;
      for (int k = c; k < r; ++k) sum -= factor[k * dim + c] * u[k * dim + r];
      factor[r * dim + c] = sum / u[r * dim + r];
    }
  }
  for (int r = 0; r < dim; ++r)
    for (int c = 0; c <= r; ++c) {
      factor[r * dim + c] /= std::sqrt(covariance[r * dim + r]);
      finite = finite && factor[r * dim + c] - factor[r * dim + c] == 0;
    }
  return finite;
}

/// The covariance of the particles with d + 1 particles' worth of an anchor, which keeps it definite for small n: the
/// Laplace covariance, or where `laplace` is null the diagonal.
SOJOURN_HD inline double anchored_covariance(int dim, double num_particles, const double* covariance,
                                             const double* laplace, int a, int b) {
  const double extra = dim + 1;
  const double own = covariance[a * dim + b];
  double anchor = a == b ? own : 0.0;
  if (laplace != nullptr) anchor = laplace[a * dim + b];
  return (num_particles * own + extra * anchor) / (num_particles + extra);
}

}  // namespace sojourn::svgd_metric
