#include "posterior/distributions.hpp"

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <unsupported/Eigen/SpecialFunctions>

#include "expects.hpp"

namespace sojourn {
namespace {

template <std::size_t N>
double polynomial(const double (&coefficients)[N], double x) {
  double sum = 0;
  for (std::size_t i = N; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

/// log(1 + exp(x)) without overflow.
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// Solves h(u) = 0 for increasing h from u by Newton steps, halving inside the bracket wherever a step leaves it.
/// `evaluate` returns h and writes its slope; infinite values of h only tell the side.
template <class Function>
double solve_increasing(double u, const Function& evaluate) {
  double low = -std::numeric_limits<double>::infinity(), high = -low, stride = 1;
  for (int iteration = 0; iteration < 400; ++iteration) {
    double slope = 0;
    const double h = evaluate(u, slope);
    if (h == 0) return u;
    (h < 0 ? low : high) = u;
    double next = u - h / slope;
    if (!std::isfinite(next) || next <= low || next >= high) {
      if (std::isfinite(low) && std::isfinite(high)) {
        next = low + (high - low) / 2;
      } else {
        next = h < 0 ? u + stride : u - stride;
        stride *= 2;
      }
    }
    if (std::abs(next - u) <= 4e-16 * std::max(1.0, std::abs(u)) || next == low || next == high) return next;
    u = next;
  }
  return u;
}

/// a I_x(a, b) B(a, b) / (x^a (1 - x)^b) for x below about the mean, by Lentz's evaluation of the continued fraction.
/// Source: DLMF 8.17.22. Cost: O(sqrt(max(a, b))) terms.
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= 100'000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return fraction;
}

}  // namespace

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }

double normal_quantile(double p) {
  SOJOURN_EXPECTS(p > 0 && p < 1, UsageError, "probability {} must be inside (0, 1)", p);
  static constexpr double kA[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                                  1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                  3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double kB[] = {1,
                                  4.2313330701600911252e+1,
                                  6.8718700749205790830e+2,
                                  5.3941960214247511077e+3,
                                  2.1213794301586595867e+4,
                                  3.9307895800092710610e+4,
                                  2.8729085735721942674e+4,
                                  5.2264952788528545610e+3};
  static constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                  3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                  2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double kD[] = {1,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
  static constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                  2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                  2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double kF[] = {1,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};
  const double q = p - 0.5;
  double x = 0;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  const double tail = q < 0 ? p : 1 - p;
  double r = std::sqrt(-std::log(tail));
  if (r <= 5) {
    r -= 1.6;
    x = -polynomial(kC, r) / polynomial(kD, r);
  } else {
    r -= 5;
    x = -polynomial(kE, r) / polynomial(kF, r);
  }
  // One Newton step on log P removes what the fit leaves in far tails.
  const double cdf = normal_cdf(x);
  if (cdf > 0) {
    const double density = std::exp(-0.5 * x * x) / 2.50662827463100050242;
    if (density > 0) x -= std::log(cdf / tail) * cdf / density;
  }
  return q < 0 ? x : -x;
}

double gamma_cdf(double shape, double x) {
  if (x <= 0) return 0;
  if (x == std::numeric_limits<double>::infinity()) return 1;
  return Eigen::numext::igamma(shape, x);
}

double gamma_survival(double shape, double x) {
  if (x <= 0) return 1;
  if (x == std::numeric_limits<double>::infinity()) return 0;
  return Eigen::numext::igammac(shape, x);
}

double beta_cdf_at_logit(double a, double b, double logit) {
  const double log_x = -softplus(-logit), log_rest = -softplus(logit);
  const double x = std::exp(log_x);
  const double factor = std::exp(a * log_x + b * log_rest - (log_gamma(a) + log_gamma(b) - log_gamma(a + b)));
  if (x <= (a + 1) / (a + b + 2)) return factor * beta_fraction(a, b, x) / a;
  return 1 - factor * beta_fraction(b, a, std::exp(log_rest)) / b;
}

double gamma_log_quantile(double shape, double probability, bool upper_tail) {
  SOJOURN_EXPECTS(probability > 0 && probability < 1, UsageError, "probability {} must be inside (0, 1)", probability);
  // Work in the smaller tail: the other one cannot resolve the answer.
  if (probability > 0.5) {
    probability = 1 - probability;
    upper_tail = !upper_tail;
  }
  const double log_p = std::log(probability);
  // P(x) = x^a / Gamma(a + 1) up to a factor 1 - O(x).
  const double small = (log_p + log_gamma(shape + 1)) / shape;
  if (!upper_tail && small < -40) return small;
  const double normal = normal_quantile(probability) * (upper_tail ? -1 : 1);
  const double cube = 1 - 1 / (9 * shape) + normal / (3 * std::sqrt(shape));  // Wilson and Hilferty (1931)
  const double start = cube > 0.1 ? std::log(shape) + 3 * std::log(cube) : (upper_tail ? 0.0 : small);
  return solve_increasing(start, [&](double u, double& slope) {
    const double x = std::exp(u);
    const double tail = upper_tail ? gamma_survival(shape, x) : gamma_cdf(shape, x);
    const double log_density = shape * u - x - log_gamma(shape);  // of log X
    slope = std::exp(log_density - std::log(tail));
    return upper_tail ? log_p - std::log(tail) : std::log(tail) - log_p;
  });
}

double beta_logit_quantile(double a, double b, double probability, bool upper_tail) {
  SOJOURN_EXPECTS(probability > 0 && probability < 1, UsageError, "probability {} must be inside (0, 1)", probability);
  if (upper_tail) return -beta_logit_quantile(b, a, probability, false);
  // Lower tail of X ~ beta(a, b); in the upper half the upper tail is solved instead.
  const bool mirrored = probability > 0.5;
  if (mirrored) {
    probability = 1 - probability;
    std::swap(a, b);
  }
  const double log_p = std::log(probability);
  const double log_beta = log_gamma(a) + log_gamma(b) - log_gamma(a + b);
  const double small = (log_p + std::log(a) + log_beta) / a;  // I_x = x^a / (a B) up to a factor 1 + O(x)
  double logit = small;
  if (small > -700) {
    const double start = std::min(small, std::log(a / b));
    logit = solve_increasing(start, [&](double u, double& slope) {
      const double cdf = beta_cdf_at_logit(a, b, u);
      const double log_density = -a * softplus(-u) - b * softplus(u) - log_beta;  // of logit X
      slope = std::exp(log_density - std::log(cdf));
      return std::log(cdf) - log_p;
    });
  }
  return mirrored ? -logit : logit;
}

}  // namespace sojourn
