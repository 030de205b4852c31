#include "evaluation/uniformization_weights.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace sojourn {

namespace {

constexpr std::int64_t kSmall = 16;

/// log n! for n < 16, from products that are exact in double.
double log_small_factorial(std::int64_t n) {
  double product = 1;
  for (std::int64_t k = 2; k <= n; ++k) product *= static_cast<double>(k);
  return std::log(product);
}

/// log n! - log(sqrt(2 pi n) (n/e)^n) for n >= 16; the series is right to the last digit there.
double stirling_remainder(double n) {
  const double square = n * n;
  return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - (1.0 / 1188) / square) / square) / square) / square) / n;
}

/// n log(n / mean) + mean - n without cancellation near n = mean.
double deviance(double n, double mean) {
  if (std::fabs(n - mean) < 0.1 * (n + mean)) {
    const double v = (n - mean) / (n + mean);
    double sum = (n - mean) * v;
    double power = 2 * n * v;
    for (int j = 1; j < 1000; ++j) {
      power *= v * v;
      const double next = sum + power / (2 * j + 1);
      if (next == sum) break;
      sum = next;
    }
    return sum;
  }
  // Two logarithms would leave n log n roundings, log1p leaves n - mean of them.
  return n * (n > 0.5 * mean ? std::log1p((n - mean) / mean) : std::log(n / mean)) - (n - mean);
}

}  // namespace

double log_poisson(std::int64_t n, double mean) {
  const auto x = static_cast<double>(n);
  if (n == 0) return -mean;
  if (n < kSmall) return x * std::log(mean) - mean - log_small_factorial(n);
  return -stirling_remainder(x) - deviance(x, mean) - 0.5 * std::log(2 * std::numbers::pi * x);
}

void poisson_run(double mean, std::int64_t first, std::span<double> mantissa, std::span<std::int64_t> exponent) {
  constexpr double kLow = 0x1p-400, kHigh = 0x1p400;
  const auto count = static_cast<std::int64_t>(mantissa.size());
  const double mode = std::min(std::floor(mean), static_cast<double>(first + count - 1));
  const std::int64_t anchor = std::max<std::int64_t>(static_cast<std::int64_t>(mode) - first, 0);
  const double log_weight = log_poisson(first + anchor, mean);
  const double power = std::floor(log_weight * std::numbers::log2e);
  // log_weight - power * log 2 with log 2 in two parts, the first exact in its product.
  const double rest = std::fma(-power, 0x1.62e42fefa39efp-1, log_weight) - power * 0x1.abc9e3b39803fp-56;
  mantissa[anchor] = std::exp(rest);
  exponent[anchor] = static_cast<std::int64_t>(power);
  int mean_power = 0;
  const double mean_mantissa = std::frexp(mean, &mean_power);
  double m = mantissa[anchor];
  std::int64_t e = exponent[anchor];
  for (std::int64_t i = anchor + 1; i < count; ++i) {
    m *= mean_mantissa / static_cast<double>(first + i);
    e += mean_power;
    if (m < kLow) {
      m *= kHigh;
      e -= 400;
    }
    mantissa[i] = m;
    exponent[i] = e;
  }
  m = mantissa[anchor];
  e = exponent[anchor];
  for (std::int64_t i = anchor - 1; i >= 0; --i) {
    m *= static_cast<double>(first + i + 1) / mean_mantissa;
    e -= mean_power;
    if (m > kHigh) {
      m *= kLow;
      e += 400;
    }
    mantissa[i] = m;
    exponent[i] = e;
  }
}

double log2_poisson_tail(std::int64_t n, double mean) {
  const auto next = static_cast<double>(n) + 1;
  if (next + 1 <= mean) return 0;
  // P(N > n) <= p(n + 1) / (1 - mean / (n + 2)).
  const double bound = log_poisson(n + 1, mean) - std::log1p(-mean / (next + 1));
  return std::min(0.0, bound * std::numbers::log2e);
}

}  // namespace sojourn
