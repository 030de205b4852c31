#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "common/host_device.hpp"

/// The median of squared distances without storing or sorting them: digits of the two middle values are found from the
/// highest on, by counting. Doubles >= 0 order like their bit patterns, and counts are whole numbers, so that neither
/// the order of counting nor rounding shows in the result.
namespace sojourn::median_select {

inline constexpr int kDigitBits = 8, kNumDigits = 64 / kDigitBits, kNumBins = 1 << kDigitBits;
/// Pairs one lane counts, joining equal digits before it adds them to the common count.
inline constexpr std::int64_t kPairsPerLane = 32;
/// Particles whose pairs are looked at.
inline constexpr std::int64_t kMostParticles = 1000;

SOJOURN_HD inline std::int64_t num_particles(std::int64_t n) { return n < kMostParticles ? n : kMostParticles; }
SOJOURN_HD inline std::int64_t num_pairs(std::int64_t n) {
  const std::int64_t count = num_particles(n);
  return count * (count - 1) / 2;
}
/// Particle number `a` of those looked at, spread evenly over all n.
SOJOURN_HD inline std::int64_t particle_at(std::int64_t a, std::int64_t n) { return a * n / num_particles(n); }

/// What is known of one of the two middle values: its digits above the next one, and its rank among what shares them.
struct Middle {
  std::uint64_t prefix;
  std::int64_t rank;
};
struct Search {
  Middle middle[2];  ///< at ranks (pairs - 1) / 2 and pairs / 2
  std::uint32_t count[2][kNumBins];
};

SOJOURN_HD inline void add_to_count(std::uint32_t& count, std::uint32_t number) {
#if defined(__CUDA_ARCH__)
  atomicAdd(&count, number);
#else
  __atomic_fetch_add(&count, number, __ATOMIC_RELAXED);  // lanes of a host loop may run beside each other too
#endif
}

SOJOURN_HD inline void begin_search(std::int64_t pairs, Search& search) {
  search.middle[0] = {0, (pairs - 1) / 2};
  search.middle[1] = {0, pairs / 2};
}

/// Of particles i and j; `u` [d, stride].
SOJOURN_HD inline double squared_distance(int dim, const double* u, std::int64_t stride, std::int64_t i,
                                          std::int64_t j) {
  double sum = 0;
  for (int c = 0; c < dim; ++c) {
    const double difference = u[c * stride + i] - u[c * stride + j];
    sum += difference * difference;
  }
  return sum;
}

/// Row a of pair number `pair` of (1, 0), (2, 0), (2, 1), (3, 0), ...; its column is pair - a (a - 1) / 2.
SOJOURN_HD inline std::int64_t row_of_pair(std::int64_t pair) {
  auto a = static_cast<std::int64_t>((1 + std::sqrt(1 + 8 * static_cast<double>(pair))) / 2);
  if (a * (a - 1) / 2 > pair) --a;
  if ((a + 1) * a / 2 <= pair) ++a;
  return a;
}

/// Counts digit number `digit`, from the highest, of the pairs of lane `lane` that share a middle's prefix.
SOJOURN_HD inline void count_lane(int dim, const double* u, std::int64_t stride, std::int64_t n, int digit,
                                  std::int64_t lane, Search& search) {
  const std::int64_t begin = lane * kPairsPerLane, pairs = num_pairs(n);
  const std::int64_t end = begin + kPairsPerLane < pairs ? begin + kPairsPerLane : pairs;
  if (begin >= end) return;
  const int shift = 64 - kDigitBits * (digit + 1);
  std::int64_t a = row_of_pair(begin), b = begin - a * (a - 1) / 2;
  std::uint32_t bin[2] = {0, 0}, number[2] = {0, 0};
  for (std::int64_t pair = begin; pair < end; ++pair) {
    const double squared = squared_distance(dim, u, stride, particle_at(a, n), particle_at(b, n));
    std::uint64_t bits;
    std::memcpy(&bits, &squared, sizeof bits);
    for (int m = 0; m < 2; ++m) {
      if (digit > 0 && (bits >> (shift + kDigitBits)) != search.middle[m].prefix) continue;
      const auto own = static_cast<std::uint32_t>((bits >> shift) & (kNumBins - 1));
      if (own != bin[m] && number[m] > 0) {
        add_to_count(search.count[m][bin[m]], number[m]);
        number[m] = 0;
      }
      bin[m] = own;
      ++number[m];
    }
    if (++b == a) {
      ++a;
      b = 0;
    }
  }
  for (int m = 0; m < 2; ++m)
    if (number[m] > 0) add_to_count(search.count[m][bin[m]], number[m]);
}

/// Takes the digit that the counts give, and clears them.
SOJOURN_HD inline void choose_digit(int m, Search& search) {
  std::int64_t below = 0;
  bool found = false;
  for (std::uint32_t bin = 0; bin < kNumBins; ++bin) {
    const std::int64_t count = search.count[m][bin];
    search.count[m][bin] = 0;
    if (found || search.middle[m].rank >= below + count) {
      below += found ? 0 : count;
      continue;
    }
    found = true;
    search.middle[m].prefix = (search.middle[m].prefix << kDigitBits) | bin;
    search.middle[m].rank -= below;
  }
}

/// Once all digits are known: the mean of the two middle values.
SOJOURN_HD inline double median_of(const Search& search) {
  double value[2];
  std::memcpy(&value[0], &search.middle[0].prefix, sizeof(double));
  std::memcpy(&value[1], &search.middle[1].prefix, sizeof(double));
  return 0.5 * (value[0] + value[1]);
}

/// h of the median heuristic, h^2 = median / (2 log(n + 1)).
SOJOURN_HD inline double bandwidth_of(double median, std::int64_t n) {
  return std::sqrt(median / (2 * std::log(static_cast<double>(n) + 1)));
}

}  // namespace sojourn::median_select
