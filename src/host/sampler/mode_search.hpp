#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sampler/whitening.hpp"
#include "sojourn/target.hpp"

namespace sojourn {

/// A maximum of the log density and the Laplace approximation around it.
struct Mode {
  std::vector<double> position;  ///< [d]
  double log_density = 0;
  Matrix<double> covariance;           ///< [d, d], inverse of minus the Hessian
  std::optional<Whitening> whitening;  ///< empty when the Hessian is not negative definite
};

struct ModeSearch {
  std::vector<Mode> modes;  ///< distinct, best first, equally high ones by their starts; empty when no start converged
  std::string failure;      ///< why there is no usable mode, empty otherwise
};

/// Maxima of a target by a trust-region Newton iteration from several deterministic starts: the componentwise median of
/// 64 prior draws and the draws of highest density. The Hessian is the symmetrised central difference of the score; an
/// indefinite one is made definite by the absolute values of its eigenvalues (saddle-free step), a trial that is not
/// finite or not better shrinks the radius. All starts advance together, one batch of the target per stage.
/// Modes nearer than one Laplace sd to a better one, or 15 units of log density below the best, are dropped.
/// Cost: about 64 + 10 rounds x starts x (1 + 2 d) evaluations.
ModeSearch find_modes(const Target& target, std::uint64_t seed);

/// Minus the Hessian of the log density at `position` by central differences of the score, step `step[c]` along c;
/// empty when the target is not finite there even with steps a thousandth as long.
std::optional<Matrix<double>> negative_hessian(const Target& target, std::span<const double> position,
                                               std::span<const double> step);

}  // namespace sojourn
