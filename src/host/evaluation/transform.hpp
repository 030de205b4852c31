#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sojourn/prc.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// A positive number m * 2^e, for values far outside the range of double.
struct ScaledValue {
  double mantissa = 0;
  std::int64_t exponent = 0;
};
/// A complex number m * 2^e.
struct ScaledComplexValue {
  std::complex<double> mantissa;
  std::int64_t exponent = 0;
};

/// exp(s) - 1 without cancellation.
std::complex<double> exponential_minus_one(std::complex<double> s);

/// Replays that were made, one for each node, complex and real ones; transposed solves are solves as well. A solve with
/// differences is two: of x, and of x less the reference.
struct ReplayTally {
  std::int64_t complex_factors = 0, complex_solves = 0;
  std::int64_t real_factors = 0, real_solves = 0;
};

class TransformKernels;

/// Laplace transforms of one law at one particle, the primitive under every contour.
///
/// With Y the reward gathered (atom included) and r the reward, R = diag(r), A = -S:
///   density transform  D(s) = E[exp(-s Y); Y > 0]        = alpha' (sR + A)^-1 b   (the atom at zero is left out
///   exactly) survival transform G(s) = int_0^inf exp(-s y) P(Y>y) = alpha' (sR + A)^-1 r
/// where zero-reward states have been passed through. D(0) = 1 - atom. Both are positive for real s > -lambda_1.
///
/// In discrete time (rewards 0 or 1, A = I - P, w = exp(s)) the generating functions in the same variable:
///   D(s) = sum_{n > 0} P(Y = n) exp(-s n)  = alpha' ((w - 1) R + A)^-1 b
///   G(s) = sum_{n >= 0} P(Y > n) exp(-s n) = w alpha' ((w - 1) R + A)^-1 r
/// which have the period 2 pi i and poles at the logarithms of P's eigenvalues.
/// Thread safe: all scratch lives in the Workspace.
class TransformReplay {
 public:
  struct Workspace {
    virtual ~Workspace() = default;
    ReplayTally tally;  ///< of what was evaluated with it; whoever reads it sets it back
  };
  using WorkspacePtr = std::unique_ptr<Workspace>;

  TransformReplay(const StateGraph& graph, const Prc& prc, std::span<const double> reward);
  ~TransformReplay();
  TransformReplay(TransformReplay&&) noexcept;

  [[nodiscard]] WorkspacePtr make_workspace() const;
  /// Bytes of a workspace that `num_transforms` (D, G) have filled, on a contour whose poles are looked for besides:
  /// what a likelihood takes with gradients, and a curve without. Saddlepoints, scaled values and gradients in doubt
  /// take more.
  [[nodiscard]] std::int64_t workspace_bytes(int num_transforms, bool gradient) const;
  [[nodiscard]] std::int32_t num_rates() const;
  /// Roundings that a value may carry, in units of epsilon of its size: half of one for every level of components and
  /// every row of the largest component.
  [[nodiscard]] double num_roundings() const;

  /// Sets the particle: phi [num_rates], all weights >= 0. Computes atom and its gradient.
  void set_particle(std::span<const double> phi, Workspace& workspace) const;
  /// P(Y = 0), the defect of the start included.
  [[nodiscard]] double atom(const Workspace& workspace) const;
  /// d atom / d phi, [num_rates].
  [[nodiscard]] std::span<const double> atom_gradient(const Workspace& workspace) const;
  /// f(0+), the density's right limit at zero, with its gradient [num_rates] (may be empty). Continuous time.
  double density_at_zero(Workspace& workspace, std::span<double> gradient) const;

  /// Complex replay. `s` [M]; density and survival [M], or empty; gradients [M, num_rates], or empty.
  /// Gradients come from products of visits and solution where these keep digits enough, else from differences
  /// (decisions 0012 and 0023). Which of them a node takes, and so its last bits, may depend on the nodes before it.
  void evaluate(std::span<const std::complex<double>> s, std::span<std::complex<double>> density,
                std::span<std::complex<double>> survival, std::span<std::complex<double>> density_gradient,
                std::span<std::complex<double>> survival_gradient, Workspace& workspace) const;

  /// Real axis: value, first and second derivative by s of D (`survival` false) or G (true) at s [M]; each output [M].
  /// Where s <= -lambda_1 (a pivot is not positive) the value is NaN. May under- or overflow: see the scaled form.
  void evaluate_real(bool survival, std::span<const double> s, std::span<double> value, std::span<double> first,
                     std::span<double> second, Workspace& workspace) const;

  /// Whether each s [M] lies right of -lambda_1, by the sign of the pivots; a third of the cost of `evaluate_real`.
  void right_of_poles(std::span<const double> s, std::span<bool> answer, Workspace& workspace) const;

  /// `evaluate` and `evaluate_real` with an extended exponent range; about 20 times slower. Gradients [num_rates] share
  /// value's exponent.
  void evaluate_scaled(std::complex<double> s, bool survival, ScaledComplexValue& value,
                       std::span<std::complex<double>> gradient, Workspace& workspace) const;
  void evaluate_real_scaled(bool survival, double s, ScaledValue& value, ScaledValue& first, ScaledValue& second,
                            Workspace& workspace) const;

 private:
  std::unique_ptr<TransformKernels> kernels_;
};

}  // namespace sojourn
