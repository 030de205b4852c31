#pragma once

namespace sojourn {

/// log Gamma(x), x > 0; thread safe (std::lgamma writes a global sign).
double log_gamma(double x);

/// P(Z <= x) of the standard normal law, relative accuracy in the lower tail.
double normal_cdf(double x);
/// Its inverse at p in (0, 1). Source: Wichura (1988), AS 241 PPND16, and one Newton step on the log scale.
double normal_quantile(double p);

/// P(X <= x) and P(X > x) of the gamma law of unit rate, each to about 1e-12 relative for shapes up to 1e4.
double gamma_cdf(double shape, double x);
double gamma_survival(double shape, double x);
/// P(X <= x) of the beta law at x = 1 / (1 + exp(-logit)), so that both ends keep their accuracy; about 1e-14 relative,
/// times the larger shape.
double beta_cdf_at_logit(double a, double b, double logit);

/// log x with P(X <= x) = probability, or P(X > x) = probability where `upper_tail`; unit-rate gamma.
/// May be below the log of the smallest double. Newton inside a bracket on log P over log x.
double gamma_log_quantile(double shape, double probability, bool upper_tail);
/// logit x with P(X <= x) = probability (or P(X > x)) for the beta law.
double beta_logit_quantile(double a, double b, double probability, bool upper_tail);

}  // namespace sojourn
