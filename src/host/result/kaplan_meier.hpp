#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sojourn/posterior.hpp"

namespace sojourn {

/// Product-limit estimate of a survival curve as steps: `survival[k]` holds from `x[k]` (included) to `x[k + 1]`.
struct ProductLimit {
  std::vector<double> x, survival;   ///< starts with (earliest entry, 1); one step per distinct event time after it
  std::vector<double> lower, upper;  ///< pointwise 95 % band
  std::vector<double> censored;      ///< distinct times of right censoring, ascending
  std::int64_t num_midpoints = 0;    ///< interval-censored observations put at the middle of their interval
};

/// Kaplan-Meier estimate with delayed entry: at an event time t the risk set holds who entered before t and has not
/// left before t; who is censored at t still counts. Weights are multiplicities. Interval-censored observations count
/// as events at the middle of their interval (rounded up in discrete time): good enough for a picture, biased for
/// inference. Band: Greenwood's variance on the scale log(-log S), which stays inside [0, 1]; [0, the last upper bound]
/// once S = 0. Cost: O(n log n). Source: Kaplan and Meier (1958); Kalbfleisch and Prentice (2002), ch. 1.
ProductLimit kaplan_meier(std::span<const Observation> observations, TimeKind time_kind);

}  // namespace sojourn
