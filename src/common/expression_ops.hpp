#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "common/host_device.hpp"

/// Operations of expressions, their values and derivatives, for host and device.
namespace sojourn {

/// Operations an expression may consist of. Comparisons and logic give 1 or 0.
enum class Op : std::uint8_t {
  kConstant,
  kInput,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kPower,
  kNegate,
  kExp,
  kLog,
  kLog1p,
  kExpm1,
  kSqrt,
  kSin,
  kCos,
  kTanh,
  kAbs,
  kMin,
  kMax,
  kFloor,
  kCeil,
  kMod,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
  kNot,
};

/// One step of a program: `value[out] = op(value[a], value[b])`.
struct Instruction {
  Op op;
  std::int32_t out, a, b;
  /// Whether derivatives flow through the operands: an operand that no input decides is left out, as 0 times the log of
  /// a negative base would be NaN, and the second of a unary operation is the first once more.
  bool a_active = false, b_active = false;
};

SOJOURN_HD inline double truth(bool holds) { return holds ? 1.0 : 0.0; }
SOJOURN_HD inline bool is_true(double value) { return value != 0 && !std::isnan(value); }
/// A comparison with what is not a number is neither true nor false.
SOJOURN_HD inline bool unordered(double a, double b) { return std::isnan(a) || std::isnan(b); }

/// Value of one operation. `Real` is double, or std::complex<double> for smooth operations.
template <class Real>
SOJOURN_HD inline Real apply_op(Op op, const Real& a, const Real& b) {
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
  return Real(std::numeric_limits<double>::quiet_NaN());
}

struct Partials {
  double a, b;
};

/// Partial derivatives of one operation at operands a and b with value v.
SOJOURN_HD inline Partials partials(Op op, double a, double b, double v) {
  switch (op) {
    case Op::kAdd:
      return {1, 1};
    case Op::kSubtract:
      return {1, -1};
    case Op::kMultiply:
      return {b, a};
    case Op::kDivide:
      return {1 / b, -v / b};
    // b = 0 is constant 1 in a, also at a = 0.
    case Op::kPower:
      return {b == 0 ? 0.0 : b * std::pow(a, b - 1), a == 0 && b > 0 ? 0.0 : v * std::log(a)};
    case Op::kNegate:
      return {-1, 0};
    case Op::kExp:
      return {v, 0};
    case Op::kLog:
      return {1 / a, 0};
    case Op::kLog1p:
      return {1 / (1 + a), 0};
    case Op::kExpm1:
      return {std::exp(a), 0};
    case Op::kSqrt:
      return {0.5 / v, 0};
    case Op::kSin:
      return {std::cos(a), 0};
    case Op::kCos:
      return {-std::sin(a), 0};
    case Op::kTanh:
      return {(1 - v) * (1 + v), 0};
    default:
      return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  }
}

/// Values of all steps from the front of `value`, which holds inputs and constants.
template <class Values>
SOJOURN_HD inline void run_code(const Instruction* code, std::int32_t num_steps, const Values& value) {
  for (std::int32_t k = 0; k < num_steps; ++k) {
    const Instruction& step = code[k];
    const auto a = value[step.a], b = value[step.b];
    value[step.out] = apply_op(step.op, a, b);
  }
}

/// Reverse mode: `adjoint` holds the outputs' adjoints, 0 elsewhere; on return its front holds the inputs'.
template <class Values, class Adjoints>
SOJOURN_HD inline void run_code_adjoint(const Instruction* code, std::int32_t num_steps, const Values& value,
                                        const Adjoints& adjoint) {
  for (std::int32_t k = num_steps - 1; k >= 0; --k) {
    const Instruction& step = code[k];
    const double bar = adjoint[step.out];
    if (bar == 0) continue;
    const Partials slope = partials(step.op, value[step.a], value[step.b], value[step.out]);
    if (step.a_active) adjoint[step.a] += slope.a * bar;
    if (step.b_active) adjoint[step.b] += slope.b * bar;
  }
}

}  // namespace sojourn
