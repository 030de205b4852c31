#include "result/predictive_grid.hpp"

#include <algorithm>
#include <cmath>

#include "sojourn/result.hpp"

namespace sojourn {

namespace {

constexpr int kNumPoints = 120;

}  // namespace

PredictiveGrid predictive_grid(std::span<const Observation> observations, TimeKind time_kind) {
  PredictiveGrid grid;
  std::vector<double> positive;  // times of the data, each item once
  double entry = observations.empty() ? 0 : observations.front().entry;
  double reach = 0;
  for (const Observation& item : observations) {
    const double time = item.right_censored() ? item.lower : item.upper;
    reach = std::max(reach, time);
    entry = std::min(entry, item.entry);
    if (time > 0) positive.push_back(time);
  }
  grid.entry = entry;
  std::sort(positive.begin(), positive.end());
  // Two decades between the lower and the upper tail squeeze most of the data into a corner of a linear axis.
  const double tenth = quantile_of_sorted(positive, 0.1);
  grid.logarithmic = entry == 0 && positive.size() >= 10 && reach > 100 * tenth;

  const bool discrete = time_kind == TimeKind::kDiscrete;
  const double end = reach > 0 ? (discrete ? std::ceil(reach * 1.05) : reach * 1.05) : 1;
  const double begin = grid.logarithmic ? std::min(positive.front(), end * 1e-2) : entry;
  for (int i = 0; i < kNumPoints; ++i) {
    const double share = static_cast<double>(i) / (kNumPoints - 1);
    double point = grid.logarithmic ? begin * std::pow(end / begin, share) : begin + (end - begin) * share;
    if (discrete) point = std::round(point);
    if (grid.points.empty() || point > grid.points.back()) grid.points.push_back(point);
  }
  return grid;
}

}  // namespace sojourn
