#pragma once

#include <cstddef>
#include <vector>

#include "device/posterior/likelihood_batch.hpp"
#include "device/posterior/step_batch.hpp"

namespace sojourn {

/// A level's particles by the route that answers them: the shared contour where it can hold, then uniformization for
/// those whose poles are not proved real or whose values it leaves open.
template <class Machine>
class RoutedLikelihood {
 public:
  /// As `LikelihoodBatch` and `StepBatch`.
  RoutedLikelihood(Machine& machine, const PrcArrays& arrays, const PrcView& prc, const LikelihoodTables& tables,
                   const LikelihoodView& likelihood, const TransformLaneShape& shape)
      : by_contour_(tables.by_contour),
        by_steps_(tables.by_steps),
        contour_(machine, prc, likelihood, shape),
        steps_(machine, arrays, prc, tables, likelihood) {}

  /// As `DeviceLevel::evaluate`.
  void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values,
                const LikelihoodDevice::Report& report) {
    values.resize(phi.num_rows(), gradient ? phi.num_cols() : 0);
    if (by_contour_) {
      contour_.evaluate(phi, gradient, values, report);
    } else {
      std::ranges::fill(values.outcome, static_cast<std::int32_t>(LaneOutcome::kNotReal));
    }
    if (!by_steps_) return;
    std::vector<std::size_t> open;
    for (std::size_t k = 0; k < values.outcome.size(); ++k) {
      const auto outcome = static_cast<LaneOutcome>(values.outcome[k]);
      if (outcome == LaneOutcome::kNotReal || outcome == LaneOutcome::kUncertified) open.push_back(k);
    }
    if (!open.empty()) steps_.evaluate(phi, open, gradient, values, report);
  }

  [[nodiscard]] const StepBatch<Machine>& steps() const { return steps_; }
  [[nodiscard]] LikelihoodBatch<Machine>& contour() { return contour_; }

 private:
  bool by_contour_, by_steps_;
  LikelihoodBatch<Machine> contour_;
  StepBatch<Machine> steps_;
};

}  // namespace sojourn
