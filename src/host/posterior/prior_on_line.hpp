#pragma once

#include "common/prior_density.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

/// The family's number in `prior_density.hpp`.
prior_density::Family lane_family(PriorFamily family);
/// What of log p(theta) does not depend on theta.
double log_density_constant(const Prior& prior);
/// The prior on the line of its parameter, for `prior_density::on_line` on host and device; `log_mass` is the log of
/// the prior's mass on the transform's support.
prior_density::LinePrior line_prior(const Prior& prior, const Transform& transform, double log_mass);

/// log of the prior's mass between lower and upper, each in its own tail. -inf where it is below double precision.
double log_prior_mass(const Prior& prior, double lower, double upper);

/// The theta inside (lower, upper) below which a share p of the prior's mass there lies, p in (0, 1).
double truncated_quantile(const Prior& prior, double lower, double upper, double p);

}  // namespace sojourn
