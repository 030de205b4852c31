#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "common/host_device.hpp"

/// Per-pair arithmetic of Stein variational gradient descent, compiled for host and device.
///
/// Everything here lives in whitened coordinates u = L^T x, where the metric of the kernel is Euclidean. With the row
/// particle i and the column particle j the direction is (Liu, Wang 2016)
///   phi_i = 1/n sum_j [ k(u_j, u_i) s_j + grad_{u_j} k(u_j, u_i) ],   grad_{u_j} k = slope * (u_i - u_j),
/// and slope > 0 for a decreasing kernel, so particles repel.
/// `Number` is what a pair is computed in, double or float; sums over particles are double in either case.
namespace sojourn {

/// Kernel value and the factor of (u_i - u_j) in its gradient by u_j.
template <class Number>
struct PairTerms {
  Number value;
  Number slope;
};

/// exp(-a) for a >= 0 within 2 units in the last place, held at exp(-708) = 3e-308 from there on. Free of calls and
/// branches, so that a loop over lanes vectorises and host and device agree. Cody-Waite reduction by ln 2, then the
/// polynomial of degree 11 with least error on |r| <= ln(2)/2 (1e-17 with rounded coefficients;
/// tests/oracle/exp_coefficients.py).
SOJOURN_HD inline double exp_negative(double a) {
  // Non-negative doubles order like their bit patterns; an integer comparison cannot trap, so the loop vectorises.
  constexpr std::int64_t kBitsOf708 = 0x4086200000000000;
  std::int64_t argument_bits;
  std::memcpy(&argument_bits, &a, sizeof argument_bits);
  argument_bits = argument_bits < kBitsOf708 ? argument_bits : kBitsOf708;
  double bounded;
  std::memcpy(&bounded, &argument_bits, sizeof bounded);
  constexpr double kRoundingShift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const double shifted = -bounded * 1.4426950408889634074 + kRoundingShift;
  const double exponent = shifted - kRoundingShift;
  const double r = (-bounded - exponent * 6.93147180369123816490e-01) - exponent * 1.90821492927058770002e-10;
  double p = 0x1.ad7f7b1096349p-26;
  p = p * r + 0x1.28ad689e8aee0p-22;
  p = p * r + 0x1.71df253a08086p-19;
  p = p * r + 0x1.a0199a16e68edp-16;
  p = p * r + 0x1.a01a012a69cf4p-13;
  p = p * r + 0x1.6c16c184266b4p-10;
  p = p * r + 0x1.1111111127b9bp-7;
  p = p * r + 0x1.555555555088cp-5;
  p = p * r + 0x1.55555555554fap-3;
  p = p * r + 0x1.000000000000ap-1;
  p = p * r + 1.0;
  p = p * r + 1.0;
  std::int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  // The low bits of `shifted` hold the exponent; moved to the exponent field they make 2^exponent.
  const std::int64_t power_bits = (bits + 1023) << 52;
  double power;
  std::memcpy(&power, &power_bits, sizeof power);
  return p * power;
}

/// The same in single precision, held at exp(-87) = 2e-38; a degree 7 polynomial (remainder below 6e-9).
SOJOURN_HD inline float exp_negative(float a) {
  constexpr std::int32_t kBitsOf87 = 0x42AE0000;
  std::int32_t argument_bits;
  std::memcpy(&argument_bits, &a, sizeof argument_bits);
  argument_bits = argument_bits < kBitsOf87 ? argument_bits : kBitsOf87;
  float bounded;
  std::memcpy(&bounded, &argument_bits, sizeof bounded);
  constexpr float kRoundingShift = 12582912.0F;  // 1.5 * 2^23
  const float shifted = -bounded * 1.44269504F + kRoundingShift;
  const float exponent = shifted - kRoundingShift;
  const float r = (-bounded - exponent * 0.693359375F) + exponent * 2.12194440e-4F;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  std::int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  const std::int32_t power_bits = static_cast<std::int32_t>(static_cast<std::uint32_t>(bits + 127) << 23);
  float power;
  std::memcpy(&power, &power_bits, sizeof power);
  return p * power;
}

/// x^(-1/2) for x >= 1 within 2 units in the last place. On the host a bit-level guess and four Newton steps (relative
/// error 3.5e-2, 1.8e-3, 5e-6, 4e-11, rounding): a library square root may set errno, which keeps loops scalar.
SOJOURN_HD inline double inverse_square_root(double x) {
#if defined(__CUDA_ARCH__)
  return rsqrt(x);
#else
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = 0x5FE6EB50C7B537A9ULL - (bits >> 1);
  double y;
  std::memcpy(&y, &bits, sizeof y);
  const double half = 0.5 * x;
  y = y * (1.5 - half * y * y);
  y = y * (1.5 - half * y * y);
  y = y * (1.5 - half * y * y);
  y = y * (1.5 - half * y * y);
  return y;
#endif
}

/// The same in single precision, by three Newton steps.
SOJOURN_HD inline float inverse_square_root(float x) {
#if defined(__CUDA_ARCH__)
  return rsqrtf(x);
#else
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = 0x5F375A86U - (bits >> 1);
  float y;
  std::memcpy(&y, &bits, sizeof y);
  const float half = 0.5F * x;
  y = y * (1.5F - half * y * y);
  y = y * (1.5F - half * y * y);
  y = y * (1.5F - half * y * y);
  return y;
#endif
}

/// Inverse multiquadric k = (1 + r^2/h^2)^(-1/2) (Gorham, Mackey 2017).
struct ImqKernel {
  template <class Number>
  SOJOURN_HD static PairTerms<Number> pair(Number squared_distance, Number inverse_h2) {
    const Number value = inverse_square_root(Number(1) + squared_distance * inverse_h2);
    return {value, value * value * value * inverse_h2};
  }
};

/// Gaussian k = exp(-r^2 / (2 h^2)).
struct RbfKernel {
  template <class Number>
  SOJOURN_HD static PairTerms<Number> pair(Number squared_distance, Number inverse_h2) {
    const Number value = exp_negative(squared_distance * (Number(0.5) * inverse_h2));
    return {value, value * inverse_h2};
  }
};

/// sum += value * score + slope * difference: two multiply-adds, where a sum of both would be three operations.
SOJOURN_HD inline void add_pair(double& sum, double value, double score, double slope, double difference) {
  sum += value * score;
  sum += slope * difference;
}
/// In single precision the sum of both, so that one number is widened.
SOJOURN_HD inline void add_pair(double& sum, float value, float score, float slope, float difference) {
  sum += value * score + slope * difference;
}

/// Adds column particle j to the sums of `kLanes` row particles.
///
/// @param dim     Coordinates d; ignored when the template fixes `kDim` > 0.
/// @param row_u   Row particles, [d, kLanes], lane-minor.
/// @param col_u   Coordinates of particle j, coordinate c at `col_u[c * stride]`.
/// @param col_s   Its whitened score, laid out alike.
/// @param sum     [d, kLanes], lane-minor; gains k s_j + slope (u_i - u_j), not yet divided by n.
template <class PairKernel, int kLanes, int kDim = 0, class Number>
SOJOURN_HD inline void accumulate_column(int dim, const Number* row_u, const Number* col_u, const Number* col_s,
                                         std::int64_t stride, Number inverse_h2, double* sum) {
  const int num_coordinates = kDim > 0 ? kDim : dim;
  Number squared_distance[kLanes];
  SOJOURN_LANE_LOOP
  for (int l = 0; l < kLanes; ++l) squared_distance[l] = 0;
  for (int c = 0; c < num_coordinates; ++c) SOJOURN_LANE_LOOP
  for (int l = 0; l < kLanes; ++l) {
    const Number difference = row_u[c * kLanes + l] - col_u[c * stride];
    squared_distance[l] += difference * difference;
  }
  Number value[kLanes];
  Number slope[kLanes];
  SOJOURN_LANE_LOOP
  for (int l = 0; l < kLanes; ++l) {
    const PairTerms<Number> terms = PairKernel::pair(squared_distance[l], inverse_h2);
    value[l] = terms.value;
    slope[l] = terms.slope;
  }
  for (int c = 0; c < num_coordinates; ++c) SOJOURN_LANE_LOOP
  for (int l = 0; l < kLanes; ++l)
    add_pair(sum[c * kLanes + l], value[l], col_s[c * stride], slope[l], row_u[c * kLanes + l] - col_u[c * stride]);
}

/// Adds the columns [0, num_columns) of one tile, in index order; particle j of the tile at offset j.
template <class PairKernel, int kLanes, int kDim = 0, class Number>
SOJOURN_HD inline void accumulate_tile(int dim, const Number* row_u, const Number* tile_u, const Number* tile_s,
                                       std::int64_t stride, int num_columns, Number inverse_h2, double* sum) {
#if defined(__CUDACC__)
// The polynomial's coefficients are brought once for two columns, where registers leave room for both.
#pragma unroll(kDim <= 5 ? 2 : 1)
#endif
  for (int j = 0; j < num_columns; ++j)
    accumulate_column<PairKernel, kLanes, kDim>(dim, row_u, tile_u + j, tile_s + j, stride, inverse_h2, sum);
}

}  // namespace sojourn
