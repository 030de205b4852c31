#pragma once

#include <vector>

#include "sampler/whitening.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// Diagnostics of the final particles, each with PASS, WARN or FAIL. Whitened by the particles' own covariance, so they
/// do not depend on units. Cost O(n^2 d) once.
std::vector<Diagnostic> diagnose(MatrixView<const double> particles, MatrixView<const double> scores,
                                 const SvgdFacts& facts, int num_threads);

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
