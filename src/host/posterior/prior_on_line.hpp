#pragma once

#include "common/prior_density.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

using prior_density::LineDensity;

/// The family's number in `prior_density.hpp`.
prior_density::Family lane_family(PriorFamily family);
/// What of log p(theta) does not depend on theta.
double log_density_constant(const Prior& prior);
/// What `prior_on_line` is computed from, for host and device.
prior_density::LinePrior line_prior(const Prior& prior, const Transform& transform, double log_mass);

/// log p(theta(z)) + log |d theta/d z| - `log_mass` and its derivative by z, where `log_mass` is the log of the prior's
/// mass on the transform's support. Products of the prior's score with d theta/d z are formed in one expression, so
/// that neither overflows at an end of the support for |z| <= 700.
LineDensity prior_on_line(const Prior& prior, const Transform& transform, double log_mass, double z);

/// log of the prior's mass between lower and upper, each in its own tail. -inf where it is below double precision.
double log_prior_mass(const Prior& prior, double lower, double upper);

/// The theta inside (lower, upper) below which a share p of the prior's mass there lies, p in (0, 1).
double truncated_quantile(const Prior& prior, double lower, double upper, double p);

}  // namespace sojourn
