#include "model/expression_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sojourn {
namespace {

struct Partials {
  double a, b;
};

/// Partial derivatives of one operation at operands a and b with value v.
Partials partials(Op op, double a, double b, double v) {
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
      return {std::nan(""), std::nan("")};
  }
}

}  // namespace

ExpressionProgram::ExpressionProgram(const ExpressionTape& tape, std::span<const std::int32_t> outputs)
    : num_inputs_(tape.num_inputs()) {
  std::vector<bool> needed(static_cast<std::size_t>(tape.num_nodes()), false);
  for (const std::int32_t output : outputs) needed[output] = true;
  for (std::int32_t i = tape.num_nodes() - 1; i >= 0; --i) {
    if (!needed[i] || num_operands(tape.node(i).op) == 0) continue;
    needed[tape.node(i).a] = true;
    if (tape.node(i).b >= 0) needed[tape.node(i).b] = true;
  }
  std::vector<std::int32_t> slot(needed.size(), -1);
  std::int32_t next = num_inputs_;
  for (std::int32_t i = 0; i < tape.num_nodes(); ++i) {
    const TapeNode& node = tape.node(i);
    if (node.op == Op::kInput) slot[i] = node.a;
    if (node.op != Op::kConstant || !needed[i]) continue;
    slot[i] = next++;
    constants_.push_back(node.value);
  }
  for (std::int32_t i = 0; i < tape.num_nodes(); ++i) {
    const TapeNode& node = tape.node(i);
    if (!needed[i] || num_operands(node.op) == 0) continue;
    slot[i] = next++;
    // A unary operation reads its operand twice, so that the loop needs no case for it.
    code_.push_back({node.op, slot[i], slot[node.a], slot[node.b >= 0 ? node.b : node.a]});
  }
  num_slots_ = static_cast<std::size_t>(next);
  for (const std::int32_t output : outputs) outputs_.push_back(slot[output]);
  active_.assign(num_slots_, false);
  std::fill_n(active_.begin(), num_inputs_, true);
  for (const Instruction& step : code_) active_[step.out] = active_[step.a] || active_[step.b];
}

bool ExpressionProgram::depends(std::int32_t output, std::int32_t input) const {
  std::vector<bool> reached(num_slots_, false);
  reached[input] = true;
  for (const Instruction& step : code_) reached[step.out] = reached[step.a] || reached[step.b];
  return reached[outputs_[output]];
}

std::string ExpressionProgram::fingerprint() const {
  std::string text = fmt::format("inputs {};", num_inputs_);
  for (const double value : constants_) text += fmt::format("c {:016x};", std::bit_cast<std::uint64_t>(value));
  for (const Instruction& step : code_) text += fmt::format("{} {} {};", to_string(step.op), step.a, step.b);
  for (const std::int32_t output : outputs_) text += fmt::format("out {};", output);
  return text;
}

void ExpressionProgram::run_tangent(std::span<const double> scratch, std::span<double> tangent) const {
  std::fill(tangent.begin() + num_inputs_, tangent.end(), 0.0);
  for (const Instruction& step : code_) {
    const Partials slope = partials(step.op, scratch[step.a], scratch[step.b], scratch[step.out]);
    // Constant operands are left out: 0 times the log of a negative base would be NaN.
    double sum = 0;
    if (active_[step.a]) sum += slope.a * tangent[step.a];
    if (active_[step.b] && num_operands(step.op) == 2) sum += slope.b * tangent[step.b];
    tangent[step.out] = sum;
  }
}

void ExpressionProgram::run_adjoint(std::span<const double> scratch, std::span<double> adjoint) const {
  for (auto step = code_.rbegin(); step != code_.rend(); ++step) {
    const double bar = adjoint[step->out];
    if (bar == 0) continue;
    const Partials slope = partials(step->op, scratch[step->a], scratch[step->b], scratch[step->out]);
    if (active_[step->a]) adjoint[step->a] += slope.a * bar;
    if (active_[step->b] && num_operands(step->op) == 2) adjoint[step->b] += slope.b * bar;
  }
}

}  // namespace sojourn
