#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/host_device.hpp"

/// The smooth increasing maps from the real line onto a parameter's support (lower, upper), for host and device:
/// identity, lower + exp(z), upper - exp(-z), or lower + (upper - lower) / (1 + exp(-z)). See `Transform`.
namespace sojourn::line_transform {

enum class Kind : std::int32_t { kIdentity, kLog, kLogBelow, kLogit };

struct Support {
  Kind kind = Kind::kIdentity;
  double lower = 0, upper = 0;
};

/// 1 / (1 + exp(-z)), relative accuracy at both ends.
SOJOURN_HD inline double sigmoid(double z) {
  if (z >= 0) return 1 / (1 + std::exp(-z));
  const double e = std::exp(z);
  return e / (1 + e);
}

/// log(1 + exp(z)) without overflow.
SOJOURN_HD inline double softplus(double z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); }

/// Rounding may put a value on the end of an open interval.
SOJOURN_HD inline double keep_inside(double theta, double lower, double upper) {
  constexpr double kSmallest = std::numeric_limits<double>::denorm_min();
  if (theta <= lower) return lower == 0 ? kSmallest : std::nextafter(lower, upper);
  return theta >= upper ? std::nextafter(upper, lower) : theta;
}

SOJOURN_HD inline double to_natural(const Support& support, double z) {
  const double lower = support.lower, upper = support.upper;
  switch (support.kind) {
    case Kind::kIdentity:
      return z;
    case Kind::kLog:
      return keep_inside(lower + std::exp(z), lower, upper);
    case Kind::kLogBelow:
      return keep_inside(upper - std::exp(-z), lower, upper);
    case Kind::kLogit:
      // From the nearer end, so that small distances keep their digits.
      return keep_inside(z <= 0 ? lower + (upper - lower) * sigmoid(z) : upper - (upper - lower) * sigmoid(-z), lower,
                         upper);
  }
  return z;
}

/// log |d theta / d z|.
SOJOURN_HD inline double log_jacobian(const Support& support, double z) {
  switch (support.kind) {
    case Kind::kIdentity:
      return 0;
    case Kind::kLog:
      return z;
    case Kind::kLogBelow:
      return -z;
    case Kind::kLogit:
      return std::log(support.upper - support.lower) - softplus(z) - softplus(-z);
  }
  return 0;
}

/// Its derivative by z.
SOJOURN_HD inline double log_jacobian_derivative(const Support& support, double z) {
  switch (support.kind) {
    case Kind::kIdentity:
      return 0;
    case Kind::kLog:
      return 1;
    case Kind::kLogBelow:
      return -1;
    case Kind::kLogit:
      return -std::tanh(z / 2);
  }
  return 0;
}

/// d theta / d z.
SOJOURN_HD inline double derivative(const Support& support, double z) {
  switch (support.kind) {
    case Kind::kIdentity:
      return 1;
    case Kind::kLog:
      return std::exp(z);
    case Kind::kLogBelow:
      return std::exp(-z);
    case Kind::kLogit:
      return (support.upper - support.lower) * sigmoid(z) * sigmoid(-z);
  }
  return 1;
}

}  // namespace sojourn::line_transform
