#include "model/expression_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sojourn {
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
  std::vector<bool> active(num_slots_, false);  // depends on an input
  std::fill_n(active.begin(), num_inputs_, true);
  for (Instruction& step : code_) {
    active[step.out] = active[step.a] || active[step.b];
    step.a_active = active[step.a];
    step.b_active = active[step.b] && num_operands(step.op) == 2;
  }
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
    double sum = 0;
    if (step.a_active) sum += slope.a * tangent[step.a];
    if (step.b_active) sum += slope.b * tangent[step.b];
    tangent[step.out] = sum;
  }
}

void ExpressionProgram::run_adjoint(std::span<const double> scratch, std::span<double> adjoint) const {
  run_code_adjoint(code_.data(), static_cast<std::int32_t>(code_.size()), scratch, adjoint);
}

}  // namespace sojourn
