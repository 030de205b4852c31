#pragma once

#include <cstdint>

#include "common/form_sum.hpp"

/// What the edges of a state leave of 1 in discrete time: the probability to stay there for another step.
namespace sojourn {

/// For each edge, and once: a remainder no larger is what the rounding of weights leaves that are meant to sum to 1.
inline constexpr double kRowRounding = 0x1p-50;

/// 1 less the terms of a row's weights, to its last digits however little is left.
class RowRemainder {
 public:
  SOJOURN_HD RowRemainder() { sum_.add(1.0, 1.0); }
  SOJOURN_HD void take(double coefficient, double rate) { sum_.add(-coefficient, rate); }
  [[nodiscard]] SOJOURN_HD double value() const { return sum_.value(); }
  /// The probability to stay in a state with so many edges: no probability where rounding alone may have left it.
  [[nodiscard]] SOJOURN_HD static double stay(double remainder, std::int64_t num_edges) {
    return remainder > kRowRounding * static_cast<double>(1 + num_edges) ? remainder : 0;
  }

 private:
  FormSum<double> sum_;
};

}  // namespace sojourn
