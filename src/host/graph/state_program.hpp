#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/expression_program.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// Expressions of a state's variables, evaluated for several states at a time; its scratch is for one thread.
///
/// An instruction is decoded once for all states, whose values lie side by side: [num_slots, kLanes].
class StateProgram {
 public:
  static constexpr std::size_t kLanes = kLargestStateBlock;

  StateProgram() = default;
  /// The tape's first inputs are the variables; `outputs` depend on no others.
  StateProgram(const ExpressionTape& tape, std::span<const std::int32_t> outputs);

  /// Lane l takes row `chosen[l]` of `states` [n, variables]; kLanes of them at most.
  void run(MatrixView<const std::int32_t> states, std::span<const std::uint8_t> chosen);
  /// The same for one state, in lane 0.
  void run(std::span<const std::int32_t> state);
  [[nodiscard]] double output(std::size_t k, std::size_t lane = 0) const {
    return values_[static_cast<std::size_t>(program_.output_slot(static_cast<std::int32_t>(k))) * kLanes + lane];
  }

 private:
  ExpressionProgram program_;
  std::vector<std::int32_t> inputs_;  ///< variables that are read
  std::vector<double> values_;
};

}  // namespace sojourn
