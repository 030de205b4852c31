#pragma once

#include <vector>

#include "result/run_facts.hpp"

namespace sojourn {

/// A density on the natural scale along a grid.
struct DensityCurve {
  std::vector<double> x, posterior, prior;  ///< empty where all particles are equal or one is not finite
};

/// Kernel estimate of a parameter's posterior over its central 99 % and a little more, with the prior beside it.
/// A Gaussian kernel on the unconstrained scale, divided by d theta / d z, so that nothing leaks over the support's
/// ends; Silverman's (1986) bandwidth 0.9 min(sd, IQR / 1.34) n^-1/5. Cost: O(num_points * min(n, 20000)).
DensityCurve density_curve(const ParameterFacts& parameter, int num_points = 160);

}  // namespace sojourn
