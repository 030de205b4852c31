#include "result/kaplan_meier.hpp"

#include <algorithm>
#include <cmath>

namespace sojourn {

namespace {

constexpr double kNormal975 = 1.959963984540054;

struct Exit {
  double time, weight;
  bool event;
};
struct Entry {
  double time, weight;
};

double midpoint(const Observation& item, TimeKind time_kind) {
  const double from = std::max(item.lower, item.entry);
  const double middle = from + 0.5 * (item.upper - from);
  return time_kind == TimeKind::kDiscrete ? std::ceil(middle) : middle;
}

void append_step(ProductLimit& curve, double time, double survival, double greenwood) {
  double lower = 0, upper = curve.upper.back();
  if (survival > 0 && survival < 1) {
    const double spread = kNormal975 * std::sqrt(greenwood) / std::abs(std::log(survival));
    lower = std::pow(survival, std::exp(spread));
    upper = std::pow(survival, std::exp(-spread));
  } else if (survival >= 1) {
    lower = upper = 1;
  }
  curve.x.push_back(time);
  curve.survival.push_back(survival);
  curve.lower.push_back(lower);
  curve.upper.push_back(upper);
}

}  // namespace

ProductLimit kaplan_meier(std::span<const Observation> observations, TimeKind time_kind) {
  ProductLimit curve;
  if (observations.empty()) return curve;
  std::vector<Exit> exits;
  std::vector<Entry> entries;
  exits.reserve(observations.size());
  entries.reserve(observations.size());
  double total = 0;
  for (const Observation& item : observations) {
    const bool event = !item.right_censored();
    double time = item.lower;
    if (event && !item.exact()) {
      time = midpoint(item, time_kind);
      ++curve.num_midpoints;
    }
    exits.push_back({time, item.weight, event});
    // Entry 0 means no truncation: such a member is at risk at time 0 as well.
    entries.push_back({item.entry > 0 ? item.entry : -1, item.weight});
    total += item.weight;
  }
  std::sort(exits.begin(), exits.end(), [](const Exit& a, const Exit& b) { return a.time < b.time; });
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });

  curve.x = {std::max(0.0, entries.front().time)};
  curve.survival = curve.lower = curve.upper = {1.0};
  double survival = 1, greenwood = 0, entered = 0, left = 0;
  std::size_t next_entry = 0;
  for (std::size_t begin = 0; begin < exits.size();) {
    const double time = exits[begin].time;
    double events = 0, censored = 0;
    std::size_t end = begin;
    for (; end < exits.size() && exits[end].time == time; ++end) {
      (exits[end].event ? events : censored) += exits[end].weight;
    }
    for (; next_entry < entries.size() && entries[next_entry].time < time; ++next_entry) {
      entered += entries[next_entry].weight;
    }
    const double at_risk = entered - left;
    if (events > 0 && at_risk > 0) {
      // Weights that are not whole leave a rounding rest where nobody is left.
      const double stay = at_risk - events <= 1e-12 * total ? 0 : at_risk - events;
      survival *= stay / at_risk;
      greenwood += stay > 0 ? events / (at_risk * stay) : 0;
      append_step(curve, time, survival, greenwood);
    }
    if (censored > 0) curve.censored.push_back(time);
    left += events + censored;
    begin = end;
  }
  return curve;
}

}  // namespace sojourn
