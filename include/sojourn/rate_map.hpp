#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// phi(theta): the rates that edge weights are linear in. Identity unless the model derives rates.
class RateMap {
 public:
  /// phi = theta.
  static RateMap identity(std::int32_t num_parameters);
  /// Each rate a smooth arithmetic expression of the named parameters (and of earlier rates, by name).
  /// @throws ModelError with the position inside the expression.
  static RateMap derived(const std::vector<std::string>& parameter_names, const std::vector<std::string>& rate_names,
                         const std::vector<std::string>& expressions);

  [[nodiscard]] std::int32_t num_parameters() const { return num_parameters_; }
  [[nodiscard]] std::int32_t num_rates() const { return num_rates_; }
  [[nodiscard]] bool is_identity() const { return program_ == nullptr; }
  /// phi [num_rates] from theta [num_parameters].
  void evaluate(std::span<const double> theta, std::span<double> phi) const;
  /// jacobian(r, p) = d phi_r / d theta_p, exact to rounding; [num_rates, num_parameters].
  void jacobian(std::span<const double> theta, MatrixView<double> jacobian) const;
  /// gradient_theta[p] = sum_r gradient_phi[r] * d phi_r / d theta_p.
  void pull_back(std::span<const double> theta, std::span<const double> gradient_phi,
                 std::span<double> gradient_theta) const;

 private:
  struct Program;
  std::int32_t num_parameters_ = 0;
  std::int32_t num_rates_ = 0;
  std::shared_ptr<const Program> program_;
};

}  // namespace sojourn
