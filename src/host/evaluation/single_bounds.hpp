#pragma once

#include <vector>

#include "sojourn/prc.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Relative error bounds of moments in single precision, from the roundings on the longest way through the program.
struct SingleBounds {
  std::vector<double> of_order;   ///< [order]; increasing
  std::vector<double> in_double;  ///< [order] where double precision answers
  double gradient_share = 0;      ///< of the sums that a gradient is the difference of
  bool allowed = false;           ///< whether single precision may answer: within the tolerance, continuous time
};
/// Cost: one pass over the program.
SingleBounds single_bounds(const StateGraph& graph, const Prc& prc, int order);

}  // namespace sojourn
