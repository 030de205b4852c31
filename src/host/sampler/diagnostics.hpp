#pragma once

#include <vector>

#include "sampler/whitening.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// What the loop knows beside the final particles.
struct RunFacts {
  double largest_last_step = 0;         ///< in sds
  std::int64_t num_steps = 0;           ///< particle steps tried
  std::int64_t num_rejected_steps = 0;  ///< of these, steps shortened because the target was not finite
  std::int64_t num_start_repairs = 0;   ///< start particles moved because the target was not finite there
  std::string start_failure;            ///< why a Laplace start was not possible
  std::size_t num_modes = 0;            ///< distinct modes the Laplace start found
};

/// Diagnostics of the final particles, each with PASS, WARN or FAIL. Whitened by the particles' own covariance, so they
/// do not depend on units. Cost O(n^2 d) once.
std::vector<Diagnostic> diagnose(MatrixView<const double> particles, MatrixView<const double> scores,
                                 const RunFacts& facts, int num_threads);

/// Squared kernel Stein discrepancy (V-statistic; Gorham, Mackey 2017) of whitened particles with the IMQ kernel of
/// bandwidth 1/sqrt(inverse_h2), and its expectation for n independent draws of the target, which is mean_i k_p(i, i) /
/// n.
struct SteinDiscrepancy {
  double squared = 0;
  double squared_of_independent_draws = 0;
};
SteinDiscrepancy kernel_stein_discrepancy(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                          int num_threads);

}  // namespace sojourn
