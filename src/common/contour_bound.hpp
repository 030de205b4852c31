#pragma once

#include <cmath>
#include <limits>

#include "common/host_device.hpp"

/// How far off the inversion of a transform by a shared contour may be, per time and law; host and device alike.
namespace sojourn::contour_bound {

/// How far the check nodes are turned towards the axis, as a part of the whole way. Nearer to the poles their bound is
/// lower, but half as many check nodes as nodes would step over the peak that a cluster of eight poles makes.
inline constexpr double kCheckShift = 0.82;
inline constexpr double kSmallestTransform = 1e-250;

// Factors of the error bound, set so that it stays above the true error on all chains of the tests with real spectrum.
inline constexpr double kRoundingFactor = 8;
inline constexpr double kTruncationFactor = 2;
inline constexpr double kTurnFactor = 4;
inline constexpr double kDiscretisationFactor = 80;
/// A part of an error bound is not refined where it is below this share of the others.
inline constexpr double kSmallPart = 1;
/// 2 by the theorem of the trapezoid rule; the rest for sampling the turned hyperbola at half as many places.
inline constexpr double kProvedFactor = 20;
/// A law's values are certified for times between these: beyond, products of two nodes leave the range of double.
inline constexpr double kEarliestTime = 1e-90, kLatestTime = 1e90;

/// exp(-X) (e X / m)^m for a growth of (1 - kCheckShift)^-m: the smallest over d' < d of the bound
/// (1 - d' / d)^-m exp(-X d' / d). Beyond m = X no shift helps.
SOJOURN_HD inline double inner_error(double exponent, double growth) {
  constexpr double kLeastOrder = 1;
  const double by_growth = std::log(growth) / -std::log(1 - kCheckShift);
  // As std::max has it for what is not a number.
  const double order = kLeastOrder < by_growth ? by_growth : kLeastOrder;
  if (!(order < exponent)) return std::numeric_limits<double>::infinity();
  // The factor in front covers what the bound leaves out; it was found on Erlang laws of order 2 to 50.
  return (1 + order * order / 2) * std::exp(order * (1 + std::log(exponent / order)) - exponent);
}

/// What the bound needs to know of a window and of one of its times, fixed with the contour.
struct Place {
  double inner_exponent;     ///< X = 2 pi d / h towards the poles
  double check_exponential;  ///< exp(-2 pi d' / h) up to the turned hyperbola
  double time;
  double decay;        ///< exp(-s_0 t), takes the vertex's growth out of the sizes
  double check_decay;  ///< the same on the turned hyperbola
  double outer;        ///< exp(mu t - 2 pi alpha / h), the error on the side without poles
};

/// What the transforms of one law add: sums over nodes of |E| |F|, over check nodes likewise, the last two terms of the
/// first, the largest |F|.
struct Sizes {
  double all, check, last, largest;
};

/// Bound on the absolute error of exp(c t) f(t), see `SharedContour::invert`.
SOJOURN_HD inline double error(const Place& place, const Sizes& size, double tilt, double transform_roundings) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  // Where the transform underflows, sizes say nothing.
  const double scale =
      size.largest > kSmallestTransform ? size.all * place.decay : std::numeric_limits<double>::infinity();
  // A tilted node is rounded to epsilon times the tilt, which turns exp(s t) by that times t; so do the roundings of
  // the decay rates themselves.
  const double roundings = kRoundingFactor + transform_roundings + kTurnFactor * std::abs(tilt) * place.time;
  const double others =
      roundings * kEpsilon * size.all + kTruncationFactor * size.last + kDiscretisationFactor * place.outer * scale;
  // The turned hyperbola proves one bound by its own size; the growth up to it foretells how much further turning
  // would lower it, which is worth more for few poles than for many. Its logarithms cost as much as the sums, and
  // where the proved bound is small beside the others nothing is gained by them.
  const double proved = kProvedFactor * size.check * place.check_exponential;
  if (proved <= kSmallPart * others) return others + proved;
  const double growth = size.check * place.check_decay / scale;
  const double foretold = kDiscretisationFactor * inner_error(place.inner_exponent, growth) * scale;
  // As std::min has it for what is not a number.
  return others + (foretold < proved ? foretold : proved);
}

}  // namespace sojourn::contour_bound
