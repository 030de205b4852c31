#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "model/expression.hpp"

namespace sojourn {

/// One step of a program: `value[out] = op(value[a], value[b])`.
struct Instruction {
  Op op;
  std::int32_t out, a, b;
};

/// Value of one operation. `Real` is double, or std::complex<double> for smooth operations.
template <class Real>
Real apply_op(Op op, const Real& a, const Real& b);

/// Flat program that computes chosen nodes of a tape. Immutable, shared by threads; scratch is the caller's.
///
/// A scratch holds the inputs first, then the constants, then the results: [num_slots]. Write the inputs into its
/// front, `run` it, read the outputs through `output_slot`. Constants must be loaded once per scratch
/// (`load_constants`).
class ExpressionProgram {
 public:
  ExpressionProgram() = default;
  /// Keeps the nodes that `outputs` need, in tape order.
  ExpressionProgram(const ExpressionTape& tape, std::span<const std::int32_t> outputs);

  [[nodiscard]] std::int32_t num_inputs() const { return num_inputs_; }
  [[nodiscard]] std::int32_t num_outputs() const { return static_cast<std::int32_t>(outputs_.size()); }
  [[nodiscard]] std::size_t num_slots() const { return num_slots_; }
  [[nodiscard]] std::int32_t output_slot(std::int32_t output) const { return outputs_[output]; }
  [[nodiscard]] std::span<const Instruction> code() const { return code_; }
  /// Whether output depends on input in the program's graph. O(instructions).
  [[nodiscard]] bool depends(std::int32_t output, std::int32_t input) const;
  /// The program as text, the same for the same program on every machine.
  [[nodiscard]] std::string fingerprint() const;

  template <class Real>
  void load_constants(std::span<Real> scratch) const {
    for (std::size_t i = 0; i < constants_.size(); ++i) scratch[num_inputs_ + i] = Real(constants_[i]);
  }
  /// All instructions. Domain errors (log of a negative number) give NaN.
  template <class Real>
  void run(std::span<Real> scratch) const {
    for (const Instruction& step : code_) scratch[step.out] = apply_op(step.op, scratch[step.a], scratch[step.b]);
  }
  /// Forward mode: tangent of every slot for tangents of the inputs in the front of `tangent` [num_slots], after `run`.
  void run_tangent(std::span<const double> scratch, std::span<double> tangent) const;
  /// Reverse mode: `adjoint` [num_slots] holds the outputs' adjoints (0 elsewhere); on return its front holds the
  /// inputs'.
  void run_adjoint(std::span<const double> scratch, std::span<double> adjoint) const;

 private:
  std::int32_t num_inputs_ = 0;
  std::size_t num_slots_ = 0;
  std::vector<double> constants_;
  std::vector<Instruction> code_;
  std::vector<std::int32_t> outputs_;
  std::vector<bool> active_;  ///< slot depends on an input: derivatives flow through these alone
};

inline double truth(bool holds) { return holds ? 1.0 : 0.0; }
inline bool is_true(double value) { return value != 0 && !std::isnan(value); }
/// A comparison with what is not a number is neither true nor false.
inline bool unordered(double a, double b) { return std::isnan(a) || std::isnan(b); }

template <class Real>
inline Real apply_op(Op op, const Real& a, const Real& b) {
  using std::cos;
  using std::exp;
  using std::log;
  using std::pow;
  using std::sin;
  using std::sqrt;
  using std::tanh;
  switch (op) {
    case Op::kAdd:
      return a + b;
    case Op::kSubtract:
      return a - b;
    case Op::kMultiply:
      return a * b;
    case Op::kDivide:
      return a / b;
    case Op::kPower:
      return pow(a, b);
    case Op::kNegate:
      return -a;
    case Op::kExp:
      return exp(a);
    case Op::kLog:
      return log(a);
    case Op::kSqrt:
      return sqrt(a);
    case Op::kSin:
      return sin(a);
    case Op::kCos:
      return cos(a);
    case Op::kTanh:
      return tanh(a);
    default:
      break;
  }
  if constexpr (std::is_same_v<Real, double>) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    switch (op) {
      case Op::kLog1p:
        return std::log1p(a);
      case Op::kExpm1:
        return std::expm1(a);
      case Op::kAbs:
        return std::fabs(a);
      // A NaN operand comes through, which fmin and fmax would hide.
      case Op::kMin:
        return std::isnan(a) || a < b ? a : b;
      case Op::kMax:
        return std::isnan(a) || a > b ? a : b;
      case Op::kFloor:
        return std::floor(a);
      case Op::kCeil:
        return std::ceil(a);
      case Op::kMod:
        return a - b * std::floor(a / b);
      case Op::kLess:
        return unordered(a, b) ? kNaN : truth(a < b);
      case Op::kLessEqual:
        return unordered(a, b) ? kNaN : truth(a <= b);
      case Op::kGreater:
        return unordered(a, b) ? kNaN : truth(a > b);
      case Op::kGreaterEqual:
        return unordered(a, b) ? kNaN : truth(a >= b);
      case Op::kEqual:
        return unordered(a, b) ? kNaN : truth(a == b);
      case Op::kNotEqual:
        return unordered(a, b) ? kNaN : truth(a != b);
      // A side that decides alone hides what is wrong with the other: n > 0 && 1 / n < 2.
      case Op::kAnd:
        return a == 0 || b == 0 ? 0.0 : unordered(a, b) ? kNaN : 1.0;
      case Op::kOr:
        return is_true(a) || is_true(b) ? 1.0 : unordered(a, b) ? kNaN : 0.0;
      case Op::kNot:
        return std::isnan(a) ? a : truth(a == 0);
      default:
        break;
    }
  } else {
    switch (op) {
      case Op::kLog1p:
        return log(Real(1) + a);
      case Op::kExpm1:
        return exp(a) - Real(1);
      default:
        break;
    }
  }
  return Real(std::nan(""));
}

}  // namespace sojourn
