#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/expression_ops.hpp"
#include "model/expression.hpp"

namespace sojourn {

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
  [[nodiscard]] std::span<const double> constants() const { return constants_; }
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
    run_code(code_.data(), static_cast<std::int32_t>(code_.size()), scratch);
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
};

}  // namespace sojourn
