#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/transform.hpp"

namespace sojourn {

/// Which value of a law: f(t) or P(Y = t), P(Y > t), or P(0 < Y <= t) without the atom at zero.
enum class LawSide : std::uint8_t { kDensity, kSurvival, kCdf };

struct SaddleRequest {
  double t = 0;  ///< > 0
  LawSide side = LawSide::kDensity;
};

struct SaddleAnswer {
  double log_value = 0;  ///< -inf where the law has no mass at all
  double error = 0;      ///< bound on the value's relative error; +inf where no rule converged
  std::int32_t num_nodes = 0;
};

/// What is known at a trial point of the real axis; H = D, G or D / s by the side of the request, in discrete time
/// D / (1 - exp(-s)) for the last.
struct Saddle {
  double s = 0;
  double log_value = 0;  ///< log H(s)
  double mean = 0;       ///< -H' / H; the mean of the law tilted by exp(-s t)
  double spread = 0;     ///< (log H)'' / mean^2; free of units, so that it neither under- nor overflows
  bool valid = false;    ///< s lies right of the poles
  bool scaled = false;   ///< H leaves the range of double
};

/// The minimum of exp(s t) H(s) right of the poles for each request: the s whose mean differs from t by `tolerance` t
/// at most. Cost: about 6 real replays for a tolerance of 0.02, 3 for 0.2.
void find_saddles(const TransformReplay& replay, bool discrete, std::span<const SaddleRequest> requests,
                  double tolerance, std::span<Saddle> saddles, TransformReplay::Workspace& workspace);

/// Inversion at one time with relative accuracy, for laws whose transform has real poles only.
///
/// The integrand exp(s t) H(s), H = D, G or D / s, has one minimum s* on the real axis right of the poles. The contour
/// is the parabola s = s* + iy - y^2 / (4 c), which encloses every real pole for any c > 0; c = -H' / H over
/// (log H)'' at s* is the distance of the poles as seen from there. Along it the integrand falls at once from its
/// largest value, so nothing cancels, and the trapezoid rule is refined until two rules agree.
/// In discrete time H has the period 2 pi i and the integral goes over one period. The parabola is cut where it leaves
/// the period: its ends are a period apart, and so is what joins them to the line through s*, which therefore cancels:
/// no pole lies there where no eigenvalue is negative. An integrand that is not negligible there gets no answer.
///
/// Source: Daniels (1954) for the saddlepoint; the step from its second derivative and from the distance c.
/// Cost: about 6 real and 80 complex replays a request.
class SaddlepointContour {
 public:
  explicit SaddlepointContour(const TransformReplay& replay, bool discrete = false)
      : replay_(&replay), discrete_(discrete) {}

  /// Answers [M] and, unless `gradient` is empty, d log value / d phi [M, num_rates]. The particle is set in
  /// `workspace`. An answer does not depend on the other requests.
  void invert(std::span<const SaddleRequest> requests, double rtol, std::span<SaddleAnswer> answers,
              std::span<double> gradient, TransformReplay::Workspace& workspace) const;

 private:
  SaddleAnswer integrate(const SaddleRequest& request, const Saddle& saddle, double rtol, std::span<double> gradient,
                         TransformReplay::Workspace& workspace) const;

  const TransformReplay* replay_;
  bool discrete_;
};

}  // namespace sojourn
