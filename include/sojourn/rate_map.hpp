#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

class ExpressionProgram;

/// phi(theta): the rates that edge weights are linear in. Identity unless the model derives rates.
///
/// Immutable and safe to share between threads. Outside an expression's domain (the logarithm of a negative number, a
/// division by zero) values and derivatives are NaN or infinite; callers check. All methods throw ShapeError where an
/// extent disagrees. Cost: O(operations written) per evaluation, twice to three times that per derivative sweep.
class RateMap {
 public:
  /// phi = theta.
  static RateMap identity(std::int32_t num_parameters);
  /// Each rate a smooth arithmetic expression of the named parameters (and of earlier rates, by name): + - * / ^ and
  /// exp, expm1, log, log1p, pow, sqrt, sin, cos, tanh. A rate may have a parameter's name only if it equals it.
  /// @throws ModelError naming the rate and the column inside its expression.
  static RateMap derived(const std::vector<std::string>& parameter_names, const std::vector<std::string>& rate_names,
                         const std::vector<std::string>& expressions);

  [[nodiscard]] std::int32_t num_parameters() const { return num_parameters_; }
  [[nodiscard]] std::int32_t num_rates() const { return num_rates_; }
  [[nodiscard]] bool is_identity() const { return program_ == nullptr; }
  /// Names of the derived rates, [num_rates], and the expressions they were given by; empty where phi = theta.
  [[nodiscard]] const std::vector<std::string>& names() const;
  [[nodiscard]] const std::vector<std::string>& expressions() const;
  /// phi [num_rates] from theta [num_parameters].
  void evaluate(std::span<const double> theta, std::span<double> phi) const;
  /// jacobian(r, p) = d phi_r / d theta_p, exact to rounding; [num_rates, num_parameters].
  void jacobian(std::span<const double> theta, MatrixView<double> jacobian) const;
  /// gradient_theta[p] = sum_r gradient_phi[r] * d phi_r / d theta_p.
  void pull_back(std::span<const double> theta, std::span<const double> gradient_phi,
                 std::span<double> gradient_theta) const;
  /// Whether rate r is written in terms of parameter p.
  [[nodiscard]] bool depends(std::int32_t rate, std::int32_t parameter) const;
  /// What computes derived rates; null where phi = theta.
  [[nodiscard]] const ExpressionProgram* program() const;
  /// The map as text, equal for equal maps on every machine; enters the model's digest.
  [[nodiscard]] std::string fingerprint() const;

 private:
  struct Program;
  std::int32_t num_parameters_ = 0;
  std::int32_t num_rates_ = 0;
  std::shared_ptr<const Program> program_;
};

}  // namespace sojourn
