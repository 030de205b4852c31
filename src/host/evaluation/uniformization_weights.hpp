#pragma once

#include <cstdint>
#include <span>

namespace sojourn {

/// log of the Poisson probability of n at `mean` > 0, to a few units of rounding of its own size (Loader 2000).
double log_poisson(std::int64_t n, double mean);

/// Poisson probabilities of n = first, ..., first + mantissa.size() - 1 as mantissa * 2^exponent, for any mean > 0 and
/// far outside the range of double. The largest of the run is taken from `log_poisson`, the others follow by the ratio
/// mean / n, so a run should stay short (64) against the growth of rounding.
void poisson_run(double mean, std::int64_t first, std::span<double> mantissa, std::span<std::int64_t> exponent);

/// Upper bound of log2 P(N > n) for the Poisson law.
double log2_poisson_tail(std::int64_t n, double mean);

}  // namespace sojourn
