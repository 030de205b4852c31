#pragma once

#include <string>

namespace sojourn::zoo {

/// One comparison with a reference.
struct Finding {
  std::string chain, quantity, route, taken;  ///< `taken`: the route that answered; empty where routes mean nothing
  double point = 0;                           ///< order, s, time or count
  double error = 0;                           ///< relative; NaN where the program gave no number
  double bound = 0;                           ///< relative, as reported; NaN where none is
  double gradient_error = 0;                  ///< NaN where there is no gradient
  double tolerance = 0;                       ///< what `error` was held to, beside the bound
  double slack = 0;                           ///< rounding of value and reference to double, allowed beside the bound
};

/// Keeps findings until the process ends and writes them as CSV to the file named by SOJOURN_ZOO_RESULTS, if it is.
void record(const Finding& finding);

}  // namespace sojourn::zoo
