#pragma once

#include <span>
#include <string>
#include <vector>

#include "sojourn/evaluator.hpp"

namespace sojourn {

/// Parameter vectors checked once and turned into rates.
class ParticleBatch {
 public:
  /// @throws ShapeError, UsageError (not finite), NumericalError naming the edge and theta of a negative weight or a
  /// discrete row that sums to more than 1.
  ParticleBatch(const Model& model, MatrixView<const double> theta);

  [[nodiscard]] MatrixView<const double> phi() const { return phi_.view(); }
  [[nodiscard]] std::size_t size() const { return phi_.num_rows(); }
  /// Gradient by rates [K, N, num_rates] -> by parameters [K, N, P].
  [[nodiscard]] std::vector<double> pull_back(std::vector<double> by_rate, std::size_t num_values) const;

 private:
  const Model& model_;
  MatrixView<const double> theta_;
  Matrix<double> phi_;
};

/// Throws NumericalError where phi gives an edge a negative or non-finite weight, or (discrete time) a row more than 1.
void expect_valid_weights(const Model& model, std::span<const double> theta, std::span<const double> phi);

/// Status "ok" or what is wrong, from the values of each parameter vector.
std::vector<std::string> finite_status(const Matrix<double>& values);

}  // namespace sojourn
