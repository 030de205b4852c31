#pragma once

namespace sojourn {

/// What an efficiency of several ranks over one is worth: "good" from 0.8, "fair" from 0.6, else "poor".
constexpr const char* efficiency_class(double efficiency) {
  return efficiency >= 0.8 ? "good" : efficiency >= 0.6 ? "fair" : "poor";
}

/// What to do about it; empty where it is good.
constexpr const char* efficiency_advice(double efficiency) {
  if (efficiency >= 0.8) return "";
  return efficiency >= 0.6 ? "more particles, or fewer ranks, would use the machines better"
                           : "fewer ranks would take about as long: see --plan for how many pay, and scripts/scaling";
}

}  // namespace sojourn
