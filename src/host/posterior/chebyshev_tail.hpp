#pragma once

namespace sojourn {

/// A Chebyshev interpolant is judged by its last coefficients: four, so that neither an even nor an odd function hides
/// its tail.
inline constexpr int kNumTailCoefficients = 4;
/// Truncation and aliasing each cost the sum of the coefficients left out; in a geometric series of ratio 1/2 that sum
/// is the last coefficient seen.
inline constexpr double kTailFactor = 4;

}  // namespace sojourn
