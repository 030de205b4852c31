#pragma once

#include <span>
#include <vector>

#include "sojourn/posterior.hpp"

namespace sojourn {

/// Points at which survival curves are drawn.
struct PredictiveGrid {
  std::vector<double> points;  ///< ascending, distinct
  bool logarithmic = false;    ///< geometric spacing
  double entry = 0;            ///< earliest entry: curves are conditional on surviving it
};

/// About 120 points from the earliest entry (0 without truncation) to a little past the largest finite time of the
/// data; geometric where the data spread over more than two decades; whole numbers in discrete time.
PredictiveGrid predictive_grid(std::span<const Observation> observations, TimeKind time_kind);

}  // namespace sojourn
