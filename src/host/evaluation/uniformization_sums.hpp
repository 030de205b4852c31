#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/uniformization_stepper.hpp"

namespace sojourn {

/// A sum of positive terms with derivatives on one exponent, for values far outside the range of double.
struct ScaledSum {
  double mantissa = 0;
  std::int64_t exponent = StepScalar::kNothing;
  std::vector<double> gradient;  ///< [num_rates] * 2^exponent

  void add(double other_mantissa, std::int64_t other_exponent, std::span<const double> other_gradient);
  /// log2 of the value, -inf for 0.
  [[nodiscard]] double log2() const;
};

/// Step scalars of a run of steps: survival, absorption in the next step, absorbed before the step.
class ScalarBlock {
 public:
  static constexpr std::int32_t kSteps = 64;
  enum Kind : std::int32_t { kAbsorption = 0, kSurvival = 1, kAbsorbed = 2 };

  explicit ScalarBlock(std::int32_t num_rates);
  /// Reads `count` <= kSteps steps of the stepper, which is left at the first step behind the block.
  template <class Real>
  void fill(Stepper<Real>& stepper, std::int32_t count);
  /// sum += sum over the block of weight * scalar.
  void accumulate(Kind kind, std::span<const double> weight, std::span<const std::int64_t> weight_exponent,
                  ScaledSum& sum);
  /// Survival at the last step of the block, an upper bound of all later ones.
  [[nodiscard]] double log2_survival() const { return log2_survival_; }
  /// log2 of the summed absolute derivatives of the vector behind the block; [num_rates].
  [[nodiscard]] const std::vector<double>& log2_gradient() const { return log2_gradient_; }
  /// Absorbed up to the end of the block.
  [[nodiscard]] const ScaledSum& absorbed() const { return absorbed_; }

 private:
  std::int32_t num_rates_;
  std::int32_t count_ = 0;
  double log2_survival_ = 0;
  std::vector<double> log2_gradient_;
  ScaledSum absorbed_;
  std::vector<double> mantissa_[3], gradient_[3], block_gradient_;
  std::vector<std::int64_t> exponent_[3];
};

}  // namespace sojourn
