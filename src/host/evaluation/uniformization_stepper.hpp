#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/stepping.hpp"

namespace sojourn {

/// One-step matrix of a chain, gathered by target state: probabilities with their derivatives.
///
/// Continuous time: I + S / rate, where `rate` is the largest exit rate and a constant in the derivatives. The diagonal
/// is kept in two parts, so that 1 - q / rate loses nothing of a small q.
struct StepMatrix {
  StepMatrix(const NumericChain& chain, bool gradient);

  [[nodiscard]] std::int64_t num_edges() const { return static_cast<std::int64_t>(from.size()); }

  std::int32_t num_states = 0;
  std::int32_t num_rates = 0;  ///< 0 without gradient
  double rate = 1;             ///< steps per unit of time; 1 in discrete time, 0 where nothing ever moves
  std::vector<std::int64_t> in_begin;
  std::vector<std::int32_t> from;
  std::vector<double> probability;
  std::vector<double> stay, stay_low, exit;          ///< [num_states]
  std::vector<double> stay_gradient, exit_gradient;  ///< [num_states, num_rates]
  std::vector<double> alpha, alpha_gradient;         ///< start and its derivatives
  std::vector<std::int64_t> term_begin;              ///< [num_edges + 1] derivatives of edges, non-zero ones
  std::vector<std::int32_t> term_rate;
  std::vector<double> term_value;
  double smallest_probability = 1;  ///< of the positive ones, exits included
  std::int32_t largest_in_degree = 0;
};

/// A non-negative number mantissa * 2^exponent with derivatives gradient * 2^exponent; mantissa in [0.5, 1) or 0.
/// A zero may have derivatives (an edge whose rate is 0 at this phi); without any its exponent is kNothing.
struct StepScalar {
  static constexpr std::int64_t kNothing = INT64_MIN / 8;
  double mantissa = 0;
  std::int64_t exponent = 0;
  double* gradient = nullptr;  ///< [num_rates], owned by the caller
};

/// The vector alpha P^n with its derivatives, stepped in place. Real is double (common scale; entries 2^1760 below the
/// total are dropped and counted in `log2_lost`) or Wide (an exponent per entry; nothing is ever dropped).
template <class Real>
class Stepper {
 public:
  explicit Stepper(const StepMatrix& matrix);
  /// Sum of the vector (survival) and its product with the exit probabilities (absorption in the next step).
  void read(StepScalar& survival, StepScalar& absorption);
  void advance();
  /// log2 of a bound of the mass that was dropped so far; -inf when none was.
  [[nodiscard]] double log2_lost() const { return log2_lost_; }
  /// Whether every entry and every derivative is 0, so that nothing follows.
  [[nodiscard]] bool is_zero() const { return zero_; }
  /// log2 of the sum of the absolute derivatives by each rate; [num_rates].
  void log2_gradient_size(std::span<double> size) const;

 private:
  void rescale(double total);
  void lose(double mass);
  const StepMatrix& matrix_;
  std::int32_t length_;  ///< 1 + num_rates
  std::int64_t exponent_ = 0;
  std::vector<Real> now_, next_;  ///< [num_states, 1 + num_rates]: value, derivatives
  std::vector<Real> probability_, stay_, stay_low_, exit_, stay_gradient_, exit_gradient_, term_value_, sums_;
  double log2_lost_;
  bool zero_ = false;
};

}  // namespace sojourn
