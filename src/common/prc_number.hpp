#pragma once

#include "common/host_device.hpp"

/// What a replay asks of its numbers, for plain ones; packs, complex and scaled numbers overload it.
namespace sojourn {

/// acc += a * b. On a device with one rounding, whatever the compiler makes of the loop around it: all mappings of a
/// replay then have the same bits.
SOJOURN_HD inline void add_product(double& acc, double a, double b) {
#if defined(__CUDA_ARCH__)
  acc = __fma_rn(a, b, acc);
#else
  acc += a * b;
#endif
}
/// a * b, which a device does not round together with a sum that it is added to.
SOJOURN_HD inline double rounded_product(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}
/// 1 / a.
SOJOURN_HD inline double reciprocal(double a) { return 1.0 / a; }

/// |a| < |b|, and the choice it makes; packs answer lane by lane.
SOJOURN_HD inline bool smaller(double a, double b) { return (a < 0 ? -a : a) < (b < 0 ? -b : b); }
template <class Real>
SOJOURN_HD inline const Real& select(bool take_first, const Real& first, const Real& second) {
  return take_first ? first : second;
}

SOJOURN_HD inline bool any(bool mask) { return mask; }
SOJOURN_HD inline double absolute(double a) { return a < 0 ? -a : a; }
/// What `smaller` compares, for comparisons of one number with several.
template <class Real>
SOJOURN_HD inline Real size_of(const Real& a) {
  return absolute(a);
}

/// Asks the compiler to keep a number of an inner loop in a register, where it would read memory again for each use.
template <class Real>
SOJOURN_HD inline void hold_in_register(Real&) {}

}  // namespace sojourn
