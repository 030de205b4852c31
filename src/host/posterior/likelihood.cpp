#include "posterior/likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/likelihood_terms.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Intervals of at most this many counts are summed mass by mass.
constexpr double kLongestMassSum = 64;

}  // namespace

Likelihood::Likelihood(const Observations& observations, const LawSupport& support, TimeKind time_kind) {
  const auto has_masses = [&](const Observation& item) {
    return time_kind == TimeKind::kDiscrete && !item.exact() && !item.left_censored &&
           item.upper - item.lower <= kLongestMassSum;
  };
  std::vector<double> values;
  values.reserve(observations.items.size());
  for (const Observation& item : observations.items) {
    if (!item.left_censored) values.push_back(item.lower);
    if (!item.exact() && !item.right_censored()) values.push_back(item.upper);
    if (item.entry > 0) values.push_back(item.entry);
    if (!has_masses(item)) continue;
    for (double count = item.lower + 1; count < item.upper; ++count) values.push_back(count);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  points_.resize(values.size());
  for (std::size_t p = 0; p < values.size(); ++p) points_[p].value = values[p];
  density_weight_.assign(values.size(), 0);
  survival_weight_.assign(values.size(), 0);
  cdf_weight_.assign(values.size(), 0);
  const auto find = [&](double value) {
    return static_cast<std::int32_t>(std::lower_bound(values.begin(), values.end(), value) - values.begin());
  };
  terms_.resize(observations.items.size());
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    const Observation& item = observations.items[i];
    Term& term = terms_[i];
    if (item.left_censored) {
      term.cdf = find(item.upper);
    } else if (item.right_censored()) {
      term.survival = find(item.lower);
    } else if (!item.exact()) {
      term.interval = static_cast<std::int32_t>(intervals_.size());
      const Interval interval{find(item.lower), find(item.upper), static_cast<std::int64_t>(i), item.weight,
                              has_masses(item)};
      if (interval.masses) {
        for (std::int32_t p = interval.lower + 1; p <= interval.upper; ++p) points_[p].density = true;
      } else {
        for (const std::int32_t p : {interval.lower, interval.upper}) points_[p].survival = points_[p].cdf = true;
      }
      intervals_.push_back(interval);
    } else if (item.lower == 0 && time_kind == TimeKind::kContinuous && support.atom) {
      term.cdf = find(0);  // P(Y <= 0) is the atom
    } else {
      term.density = find(item.lower);
    }
    if (item.entry > 0) term.entry = find(item.entry);
    const auto use = [&](std::int32_t point, bool LawPoint::*law, std::vector<double>& weights, double weight) {
      if (point < 0) return;
      points_[point].*law = true;
      weights[point] += weight;
    };
    use(term.density, &LawPoint::density, density_weight_, item.weight);
    use(term.survival, &LawPoint::survival, survival_weight_, item.weight);
    use(term.cdf, &LawPoint::cdf, cdf_weight_, item.weight);
    use(term.entry, &LawPoint::survival, survival_weight_, -item.weight);
  }
}

std::vector<char> Likelihood::in_intervals() const {
  std::vector<char> used(points_.size(), 0);
  for (const Interval& interval : intervals_) {
    for (std::int32_t p = interval.lower; p <= interval.upper; ++p)
      if (interval.masses || p == interval.lower || p == interval.upper) used[p] = 1;
  }
  return used;
}

Likelihood Likelihood::rewritten(std::vector<LawPoint> points, std::array<std::vector<double>, 3> weights,
                                 double constant, std::span<const std::int32_t> place) const {
  Likelihood other;
  other.intervals_ = intervals_;
  other.points_ = std::move(points);
  other.density_weight_ = std::move(weights[0]);
  other.survival_weight_ = std::move(weights[1]);
  other.cdf_weight_ = std::move(weights[2]);
  other.constant_ = constant;
  for (Interval& interval : other.intervals_) {
    interval.lower = place[interval.lower];
    interval.upper = place[interval.upper];
  }
  return other;
}

double Likelihood::log_mass(const Interval& interval, std::span<const double> log_density) {
  double largest = -kInfinity, sum = 0;
  for (std::int32_t p = interval.lower + 1; p <= interval.upper; ++p) largest = std::max(largest, log_density[p]);
  if (largest == -kInfinity) return largest;
  for (std::int32_t p = interval.lower + 1; p <= interval.upper; ++p) sum += std::exp(log_density[p] - largest);
  return largest + std::log(sum);
}

bool Likelihood::possible(const Term& term, std::span<const double> log_density, std::span<const double> log_survival,
                          std::span<const double> log_cdf) const {
  const auto is_zero = [](std::int32_t point, std::span<const double> log_values) {
    return point >= 0 && log_values[point] == -kInfinity;
  };
  if (is_zero(term.density, log_density) || is_zero(term.survival, log_survival) || is_zero(term.cdf, log_cdf) ||
      is_zero(term.entry, log_survival))
    return false;
  if (term.interval < 0) return true;
  const Interval& interval = intervals_[term.interval];
  if (interval.masses) return log_mass(interval, log_density) != -kInfinity;
  // Equal tails are no zero: rounding swallowed the rest.
  return log_survival[interval.lower] != -kInfinity && log_cdf[interval.upper] != -kInfinity;
}

void Likelihood::mark_possible(std::span<const double> log_density, std::span<const double> log_survival,
                               std::span<const double> log_cdf, std::span<char> possible) const {
  for (std::size_t i = 0; i < terms_.size(); ++i)
    if (this->possible(terms_[i], log_density, log_survival, log_cdf)) possible[i] = 1;
}

double Likelihood::evaluate(std::span<const double> log_density, std::span<const double> log_survival,
                            std::span<const double> log_cdf, std::span<double> by_density,
                            std::span<double> by_survival, std::span<double> by_cdf, LikelihoodReport& report) const {
  report = {};
  CompensatedSum sum;
  sum.add(constant_);
  bool zero = false;
  const auto add_linear = [&](const std::vector<double>& weights, std::span<const double> log_values,
                              std::span<double> by) {
    for (std::size_t p = 0; p < weights.size(); ++p) {
      by[p] = weights[p];
      if (weights[p] == 0) continue;
      zero = zero || log_values[p] == -kInfinity;
      sum.add(weights[p] * log_values[p]);
    }
  };
  add_linear(density_weight_, log_density, by_density);
  add_linear(survival_weight_, log_survival, by_survival);
  add_linear(cdf_weight_, log_cdf, by_cdf);
  for (const Interval& interval : intervals_) {
    const std::int32_t l = interval.lower, u = interval.upper;
    if (interval.masses) {
      const double log_sum = log_mass(interval, log_density);
      zero = zero || log_sum == -kInfinity;
      if (zero) continue;
      sum.add(interval.weight * log_sum);
      for (std::int32_t p = l + 1; p <= u; ++p) by_density[p] += interval.weight * std::exp(log_density[p] - log_sum);
      continue;
    }
    const IntervalDifference difference = smaller_difference(log_survival[l], log_survival[u], log_cdf[l], log_cdf[u]);
    if (difference.log_large == -kInfinity) {
      zero = true;
      continue;
    }
    if (!(difference.gap > 0)) {
      if (report.unresolved_item < 0) report.unresolved_item = interval.item;
      continue;
    }
    sum.add(interval.weight * difference.log_probability());
    const double by_large = difference.by_large();
    const double by_small = difference.by_small();
    std::span<double> by = difference.by_cdf ? by_cdf : by_survival;
    by[difference.by_cdf ? u : l] += interval.weight * by_large;
    by[difference.by_cdf ? l : u] += interval.weight * by_small;
    if (by_large - by_small > report.amplification) {
      report.amplification = by_large - by_small;
      report.amplified_item = interval.item;
    }
  }
  if (!zero && report.unresolved_item < 0) return sum.value();
  std::fill(by_density.begin(), by_density.end(), 0.0);
  std::fill(by_survival.begin(), by_survival.end(), 0.0);
  std::fill(by_cdf.begin(), by_cdf.end(), 0.0);
  if (!zero) return std::numeric_limits<double>::quiet_NaN();
  report.impossible_item = first_impossible(log_density, log_survival, log_cdf);
  return -kInfinity;
}

std::int64_t Likelihood::first_impossible(std::span<const double> log_density, std::span<const double> log_survival,
                                          std::span<const double> log_cdf) const {
  for (std::size_t i = 0; i < terms_.size(); ++i)
    if (!possible(terms_[i], log_density, log_survival, log_cdf)) return static_cast<std::int64_t>(i);
  return -1;
}

}  // namespace sojourn
