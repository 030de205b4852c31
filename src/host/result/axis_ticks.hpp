#pragma once

#include <string>
#include <vector>

namespace sojourn {

struct Tick {
  double value;
  std::string label;
};
struct Ticks {
  std::vector<Tick> ticks;
  int exponent = 0;  ///< labels are value / 10^exponent; the axis label says so where it is not 0
};

/// Round ticks (1, 2 or 5 times a power of ten apart) inside [lower, upper], at most `most` of them.
Ticks linear_ticks(double lower, double upper, int most);

/// Ticks of a logarithmic axis over 0 < lower < upper: powers of ten, thinned to `most`; with less than two decades
/// 1, 2 and 5 times powers of ten too.
Ticks logarithmic_ticks(double lower, double upper, int most);

}  // namespace sojourn
