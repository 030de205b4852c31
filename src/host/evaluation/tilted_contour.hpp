#pragma once

#include <span>

#include "evaluation/contour.hpp"
#include "evaluation/saddlepoint.hpp"
#include "evaluation/transform.hpp"

namespace sojourn {

/// Inversion for a group of close times with relative accuracy, for laws whose transform has real poles only: between
/// the shared contour, whose tilt is a guess, and a saddlepoint contour for each time.
///
/// Times of one side within a window of `kRatio` share a hyperbola that starts right of their common saddlepoint s*,
/// which is what a shared contour tilted by -s* is; its check nodes bound the error in the same way. For H = D / s (the
/// cdf) the pole at zero is one more on the real axis left of s*.
/// Cost: about 6 real and 48 complex replays a window.
class TiltedContour {
 public:
  static constexpr double kRatio = 2.5;

  /// In discrete time a window whose hyperbola would leave the period of the transform gets no answer.
  explicit TiltedContour(const TransformReplay& replay, bool discrete = false)
      : replay_(&replay), discrete_(discrete) {}

  /// As `SaddlepointContour::invert`. An answer whose error is above `rtol` is no answer.
  void invert(std::span<const SaddleRequest> requests, double rtol, std::span<SaddleAnswer> answers,
              std::span<double> gradient, TransformReplay::Workspace& workspace) const;

 private:
  struct Group;
  void integrate(const Group& group, std::span<const SaddleRequest> requests, double rtol,
                 std::span<SaddleAnswer> answers, std::span<double> gradient,
                 TransformReplay::Workspace& workspace) const;

  const TransformReplay* replay_;
  bool discrete_;
};

}  // namespace sojourn
