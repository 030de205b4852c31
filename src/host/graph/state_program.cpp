#include "graph/state_program.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sojourn {
namespace {

using LaneOp = void (*)(const double* a, const double* b, double* out, std::size_t num_lanes);

/// The operation is known when this is compiled, so that the loop is one of plain arithmetic.
template <Op kOp>
void apply_lanes(const double* a, const double* b, double* out, std::size_t num_lanes) {
  for (std::size_t l = 0; l < num_lanes; ++l) out[l] = apply_op(kOp, a[l], b[l]);
}

template <std::size_t... kOps>
constexpr std::array<LaneOp, sizeof...(kOps)> lane_ops(std::index_sequence<kOps...>) {
  return {apply_lanes<static_cast<Op>(kOps)>...};
}
constexpr auto kLaneOps = lane_ops(std::make_index_sequence<static_cast<std::size_t>(Op::kNot) + 1>{});

}  // namespace

StateProgram::StateProgram(const ExpressionTape& tape, std::span<const std::int32_t> outputs)
    : program_(tape, outputs), values_(program_.num_slots() * kLanes, 0.0) {
  std::vector<bool> is_read(program_.num_slots(), false);
  for (const Instruction& step : program_.code()) is_read[step.a] = is_read[step.b] = true;
  for (std::int32_t k = 0; k < program_.num_outputs(); ++k) is_read[program_.output_slot(k)] = true;
  for (std::int32_t v = 0; v < program_.num_inputs(); ++v)
    if (is_read[v]) inputs_.push_back(v);
  std::vector<double> constants(program_.num_slots());
  program_.load_constants<double>(constants);
  for (std::size_t slot = program_.num_inputs(); slot < constants.size(); ++slot)
    std::fill_n(values_.begin() + static_cast<std::ptrdiff_t>(slot * kLanes), kLanes, constants[slot]);
}

void StateProgram::run(MatrixView<const std::int32_t> states, std::span<const std::uint8_t> chosen) {
  for (const std::int32_t v : inputs_) {
    double* const value = values_.data() + static_cast<std::size_t>(v) * kLanes;
    for (std::size_t l = 0; l < chosen.size(); ++l) value[l] = states(chosen[l], v);
  }
  for (const Instruction& step : program_.code()) {
    double* const value = values_.data();
    kLaneOps[static_cast<std::size_t>(step.op)](value + step.a * kLanes, value + step.b * kLanes,
                                                value + step.out * kLanes, chosen.size());
  }
}

void StateProgram::run(std::span<const std::int32_t> state) {
  constexpr std::uint8_t kOnly = 0;
  run({state.data(), 1, state.size()}, {&kOnly, 1});
}

}  // namespace sojourn
