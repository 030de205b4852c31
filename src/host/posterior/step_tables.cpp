#include "posterior/step_tables.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/step_lanes.hpp"
#include "evaluation/uniformization_weights.hpp"

namespace sojourn {
namespace {

constexpr std::int64_t kRun = 64;  ///< as many weights come from one anchor

/// The first of [low, high] for which `holds`, which from some number on it does; `high` where it never does.
template <class Holds>
std::int64_t first_where(std::int64_t low, std::int64_t high, Holds&& holds) {
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (holds(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

StepTables::StepTables(const PrcArrays& arrays, const LikelihoodTables& tables)
    : exits(tables.exits), exit_terms(tables.exit_terms), prc_(arrays.view()), most_terms_(tables.most_terms) {
  const std::size_t num_rows = arrays.rows.size();
  inverse_reward.resize(num_rows);
  for (std::size_t v = 0; v < num_rows; ++v) inverse_reward[v] = 1 / tables.reward[v];

  // Edges by target and rate, sources in the order of the rows.
  struct Arrival {
    std::int32_t rate;
    StepTerm term;
  };
  std::vector<std::vector<Arrival>> arrivals(num_rows);
  std::int64_t most_groups = 0;
  for (std::size_t v = 0; v < num_rows; ++v) {
    const PrcRow& row = arrays.rows[v];
    most_groups = std::max(most_groups, row.group_end - row.group_begin);
    for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
      const PrcGroup& group = arrays.groups[g];
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        const double coefficient = arrays.terms[t].coefficient * inverse_reward[v];
        arrivals[arrays.terms[t].column].push_back({group.rate, {coefficient, static_cast<std::int32_t>(v)}});
      }
    }
  }
  std::size_t most_arrivals = 0;
  for (std::vector<Arrival>& list : arrivals) {
    most_arrivals = std::max(most_arrivals, list.size());
    std::ranges::stable_sort(list, {}, &Arrival::rate);
    StepRow& row = rows.emplace_back();
    row.group_begin = std::ssize(groups);
    for (std::size_t k = 0; k < list.size(); ++k) {
      if (k == 0 || list[k].rate != list[k - 1].rate)
        groups.push_back({list[k].rate, std::ssize(terms), std::ssize(terms)});
      terms.push_back(list[k].term);
      ++groups.back().term_end;
    }
    row.group_end = std::ssize(groups);
  }

  time_order.resize(tables.times.size());
  std::iota(time_order.begin(), time_order.end(), 0);
  std::ranges::stable_sort(time_order, {}, [&](std::int32_t j) { return tables.times[j].place.time; });
  for (const std::int32_t j : time_order) times_.push_back(tables.times[j].place.time);
  numbers.counts = tables.counts;
  if (tables.counts)
    for (const std::int32_t j : time_order) first_count_.push_back(tables.first_count[j]);

  numbers.num_times = static_cast<std::int32_t>(times_.size());
  numbers.atom = tables.atom;
  // A step adds the products of one row's arrivals; a weight is as many roundings as its rate, its coefficient and its
  // sum have; the mean of the weights, the sum over steps and what was absorbed before add one each.
  numbers.roundings_per_step = static_cast<double>(most_arrivals) + 2 * static_cast<double>(most_groups) + 12;
  numbers.roundings = static_cast<double>(num_rows) / kStepStreams + kStepStreams + 4 * kRun;
}

std::int32_t StepTables::rung_code(double largest_rate) {
  int exponent = 0;
  const double mantissa = 2 * std::frexp(largest_rate, &exponent);  // in [1, 2)
  return 4 * (exponent - 1) + static_cast<std::int32_t>(std::ceil(4 * (mantissa - 1)));
}

double StepTables::rung_rate(std::int32_t code) {
  const std::int32_t octave = code >= 0 ? code / 4 : -((3 - code) / 4);
  return std::ldexp(1 + 0.25 * (code - 4 * octave), octave);
}

double StepTables::largest_rate(std::span<const double> extended) const {
  double largest = 0;
  for (std::size_t v = 0; v < inverse_reward.size(); ++v)
    largest = std::max(largest, inverse_reward[v] * leaving_weight(prc_, static_cast<std::int32_t>(v), extended));
  return largest;
}

StepWindow StepTables::window_of(double mean) {
  const auto middle = static_cast<std::int64_t>(mean);
  static const double kLogLeast = std::log(kLeastStepWeight);
  StepWindow window{};
  window.first = first_where(0, middle, [&](std::int64_t n) { return log_poisson(n, mean) >= kLogLeast; });
  std::int64_t reach = 64;
  while (log2_poisson_tail(middle + reach, mean) > kLog2Tail) reach *= 2;
  const std::int64_t last =
      first_where(middle, middle + reach, [&](std::int64_t n) { return log2_poisson_tail(n, mean) <= kLog2Tail; });
  window.count = last + 1 - window.first;
  window.tail = std::exp2(log2_poisson_tail(last, mean));
  return window;
}

void StepTables::add_weights(double mean, StepWindow& window) {
  window.weight_begin = std::ssize(weights);
  double mantissa[kRun];
  std::int64_t exponent[kRun];
  for (std::int64_t done = 0; done < window.count; done += kRun) {
    const auto count = static_cast<std::size_t>(std::min(kRun, window.count - done));
    poisson_run(mean, window.first + done, {mantissa, count}, {exponent, count});
    for (std::size_t k = 0; k < count; ++k)
      weights.push_back(std::ldexp(mantissa[k], static_cast<int>(std::max<std::int64_t>(exponent[k], -4000))));
  }
}

double StepTables::work(const StepRung& rung) const {
  double products = 0;
  for (std::int64_t w = rung.window_begin; w < rung.window_begin + numbers.num_times; ++w)
    products += static_cast<double>(windows[w].count);
  return static_cast<double>(rung.num_steps) *
             (static_cast<double>(terms.size()) + 2.0 * static_cast<double>(rows.size())) +
         3 * products;
}

std::int32_t StepTables::find(std::int32_t code) {
  const auto [known, is_new] = place_.try_emplace(code, kTooLong);
  if (!is_new) return known->second;
  if (numbers.counts) return known->second = find_counts();
  const double rate = rung_rate(code);
  const double most = std::min(kMostWork, most_terms_);
  const double mean = rate * (times_.empty() ? 0 : times_.back());
  if (!(mean * static_cast<double>(terms.size() + 2 * rows.size()) <= most)) return kTooLong;
  StepRung rung{rate, 0, std::ssize(windows)};
  for (const double time : times_) {
    StepWindow& window = windows.emplace_back(window_of(rate * time));
    // In any case by rounding alone do windows not follow each other.
    if (std::ssize(windows) - 1 > rung.window_begin) {
      const StepWindow& before = windows[windows.size() - 2];
      const std::int64_t last = std::max(window.first + window.count, before.first + before.count);
      window.first = std::max(window.first, before.first);
      window.count = last - window.first;
    }
    rung.num_steps = window.first + window.count - 1;
  }
  if (!(work(rung) <= most)) {
    windows.resize(static_cast<std::size_t>(rung.window_begin));
    return kTooLong;
  }
  note_least_first(rung.window_begin);
  for (std::size_t k = 0; k < times_.size(); ++k)
    add_weights(rate * times_[k], windows[static_cast<std::size_t>(rung.window_begin) + k]);
  rungs.push_back(rung);
  return known->second = static_cast<std::int32_t>(std::ssize(rungs)) - 1;
}

std::int32_t StepTables::find_counts() {
  const double last = times_.empty() ? 0 : times_.back();
  for (std::size_t k = 0; k < times_.size(); ++k) {
    const auto first = static_cast<std::int64_t>(first_count_[k]);
    windows.push_back({first, static_cast<std::int64_t>(times_[k]) + 1 - first, 0, first, 0});
  }
  const StepRung rung{1, static_cast<std::int64_t>(last), 0};
  if (!(work(rung) <= std::min(kMostWork, most_terms_))) {
    windows.clear();
    return kTooLong;
  }
  note_least_first(0);
  rungs.push_back(rung);
  return 0;
}

void StepTables::note_least_first(std::int64_t begin) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t w = std::ssize(windows) - 1; w >= begin; --w) {
    StepWindow& window = windows[static_cast<std::size_t>(w)];
    least = window.least_first = std::min(least, window.first);
  }
}

void StepTables::forget() {
  std::erase_if(place_, [](const auto& entry) { return entry.second != kTooLong; });
  rungs.clear();
  windows.clear();
  weights.clear();
}

StepView StepTables::view() const {
  StepView view = numbers;
  const auto point = [](auto& pointer, const auto& array) { pointer = array.data(); };
  each_lasting_array(view, point);
  each_growing_array(view, point);
  return view;
}

}  // namespace sojourn
