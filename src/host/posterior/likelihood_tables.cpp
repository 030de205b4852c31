#include "posterior/likelihood_tables.hpp"

#include <algorithm>
#include <cmath>

#include "evaluation/contour.hpp"
#include "evaluation/difference_program.hpp"
#include "evaluation/law_routes.hpp"
#include "evaluation/spectrum.hpp"
#include "evaluation/transform_lane_shape.hpp"
#include "expects.hpp"
#include "posterior/chebyshev_tail.hpp"

namespace sojourn {
namespace {

bool is_asked(const LawPoint& point) { return point.density || point.survival || point.cdf; }

template <class To, class From>
To as(From value) {
  return static_cast<To>(value);
}

bool has_one_way_cycle(const StateGraph& graph, std::span<const double> reward) {
  const Spectrum spectrum(graph, reward);
  return std::ranges::any_of(spectrum.components(), &Spectrum::Component::one_way);
}

/// The same of a law of counts.
std::string why_no_counts(const StateGraph& graph, std::span<const double> reward, const EvaluatorOptions& options) {
  if (options.method != LawMethod::kAuto && options.method != LawMethod::kStepping)
    return fmt::format("method {} of a law in discrete time is for the CPU alone; use auto or stepping",
                       to_string(options.method));
  for (std::int32_t state = 0; state < graph.num_states(); ++state) {
    if (!graph.is_absorbing(state) && reward[state] != 1)
      return fmt::format("state {} earns a reward of {} a step; in discrete time only steps are counted there", state,
                         reward[state]);
  }
  return {};
}

}  // namespace

std::string LikelihoodTables::why_not(const StateGraph& graph, std::span<const double> reward,
                                      const Likelihood& likelihood, const EvaluatorOptions& options) {
  if (graph.time_kind() == TimeKind::kDiscrete) return why_no_counts(graph, reward, options);
  if (std::string why = why_no_transform_lanes(graph, reward); !why.empty()) return why;
  if (options.method != LawMethod::kAuto && options.method != LawMethod::kContour &&
      options.method != LawMethod::kUniformization)
    return fmt::format("method {} is for the CPU alone; use auto, contour or uniformization",
                       to_string(options.method));
  for (const LawPoint& point : likelihood.points()) {
    if (!is_asked(point)) continue;
    if (!(point.value > contour_bound::kEarliestTime && point.value < contour_bound::kLatestTime))
      return fmt::format("an observation is at {}; only times between 1e-90 and 1e90 are evaluated there", point.value);
  }
  if (options.method == LawMethod::kContour && has_one_way_cycle(graph, reward))
    return "a cycle of the model has a way without its reverse, so that contours are not known to hold; use auto or "
           "uniformization";
  return {};
}

bool LikelihoodTables::contour_may_hold(const StateGraph& graph, std::span<const double> reward,
                                        const EvaluatorOptions& options) {
  return graph.time_kind() == TimeKind::kContinuous && options.method != LawMethod::kUniformization &&
         !has_one_way_cycle(graph, reward);
}

LikelihoodTables::LikelihoodTables(const StateGraph& graph, const Prc& prc, std::span<const double> reward_by_state,
                                   const Likelihood& likelihood, const CompressedLikelihood* compressed,
                                   const EvaluatorOptions& options) {
  const PrcArrays& arrays = prc.arrays();
  reward = arrays.by_row(reward_by_state);
  by_contour = contour_may_hold(graph, reward_by_state, options);
  by_steps = options.method != LawMethod::kContour;
  counts = graph.time_kind() == TimeKind::kDiscrete;
  most_terms = static_cast<double>(options.max_terms);
  atom = graph.defect();
  for (const InitialMass& mass : graph.initial())
    if (graph.is_absorbing(mass.state)) atom += mass.probability;
  numbers.rtol = options.rtol;
  numbers.gradient_tolerance = kGradientTolerance;
  numbers.negligible_elasticity = kNegligibleElasticity;
  if (counts) {
    add_counts(likelihood);
    add_exits(graph, arrays);
    shape = transform_lane_shape(arrays, numbers.density, numbers.survival, false);
    return;
  }
  const std::vector<LawPoint>& points = likelihood.points();
  std::vector<double> values;
  std::vector<std::int32_t> time_of(points.size(), -1);
  for (std::size_t p = 0; p < points.size(); ++p) {
    numbers.largest_value = std::max(numbers.largest_value, points[p].value);
    if (!is_asked(points[p])) continue;
    numbers.density |= points[p].density;
    numbers.survival |= points[p].survival || points[p].cdf;
    time_of[p] = as<std::int32_t>(values.size());
    values.push_back(points[p].value);
  }
  shape = transform_lane_shape(arrays, numbers.density, numbers.survival, false);
  numbers.transform_roundings = 0.5 * static_cast<double>(prc.cost().num_levels + prc.cost().largest_component);
  numbers.largest_turn = kLargestTurn;
  numbers.largest_miss = Spectrum::kLargestMiss;
  numbers.gradient_share = GradientJudge(arrays, 1).share();
  add_contour(values, options.rtol);
  add_data(likelihood, compressed, time_of);
  add_cycles(graph, arrays, reward_by_state);
}

void LikelihoodTables::add_contour(std::span<const double> values, double rtol) {
  const SharedContour contour(values, rtol);
  for (const std::complex<double>& node : contour.nodes()) nodes.emplace_back(node.real(), node.imag());
  for (const std::complex<double>& node : contour.check_nodes()) check_nodes.emplace_back(node.real(), node.imag());
  window_of_node.resize(nodes.size());
  window_of_check.resize(check_nodes.size());
  times.resize(values.size());
  for (const SharedContour::Window& window : contour.windows()) {
    const auto w = as<std::int32_t>(windows.size());
    std::fill_n(window_of_node.begin() + static_cast<std::ptrdiff_t>(window.node_begin), window.num_nodes, w);
    std::fill_n(window_of_check.begin() + static_cast<std::ptrdiff_t>(window.check_begin), window.num_checks, w);
    const auto time_begin = as<std::int32_t>(window_times.size());
    for (std::size_t n = 0; n < window.times.size(); ++n) {
      window_times.push_back(as<std::int32_t>(window.times[n]));
      LaneTime& time = times[window.times[n]];
      time.place = window.places[n];
      time.window = w;
      time.node_begin = as<std::int32_t>(window.node_begin);
      time.num_nodes = as<std::int32_t>(window.num_nodes);
      time.check_begin = as<std::int32_t>(window.check_begin);
      time.num_checks = as<std::int32_t>(window.num_checks);
      time.weight_begin = as<std::int64_t>(weights.size() + 2 * n * window.num_nodes);
      time.size_begin = as<std::int64_t>(sizes.size() + n * window.num_nodes);
      time.check_size_begin = as<std::int64_t>(check_sizes.size() + n * window.num_checks);
    }
    windows.push_back({as<std::int32_t>(window.node_begin), as<std::int32_t>(window.node_begin + window.num_nodes),
                       time_begin, as<std::int32_t>(window_times.size()), window.reference_time});
    weights.insert(weights.end(), window.weights.begin(), window.weights.end());
    sizes.insert(sizes.end(), window.sizes.begin(), window.sizes.end());
    check_sizes.insert(check_sizes.end(), window.check_sizes.begin(), window.check_sizes.end());
  }
}

void LikelihoodTables::add_counts(const Likelihood& likelihood) {
  numbers.constant = likelihood.constant();
  double total = 0;
  const std::vector<LawPoint>& points = likelihood.points();
  for (std::size_t p = 0; p < points.size(); ++p) {
    LaneTime time{};
    time.place.time = points[p].value;
    for (int kind = 0; kind < 3; ++kind) {
      time.linear[kind] = likelihood.weights()[kind][p];
      time.asked[kind] = time.linear[kind] != 0;
      total += std::abs(time.linear[kind]);
    }
    // A point that intervals alone read is none here.
    if (!time.asked[kDensity] && !time.asked[kSurvival] && !time.asked[kCdf]) continue;
    numbers.density |= time.asked[kDensity];
    numbers.survival |= time.asked[kSurvival] || time.asked[kCdf];
    times.push_back(time);
    first_count.push_back(time.place.time);
  }
  for (const Likelihood::Interval& interval : likelihood.intervals()) {
    LaneTime time{};
    time.place.time = points[interval.upper].value;
    time.linear[kDensity] = interval.weight;
    time.asked[kDensity] = true;
    numbers.density = true;
    total += interval.weight;
    times.push_back(time);
    first_count.push_back(points[interval.lower].value + 1);
  }
  numbers.total_weight = total;
}

void LikelihoodTables::add_exits(const StateGraph& graph, const PrcArrays& arrays) {
  for (const std::int32_t state : arrays.state_of_row) {
    const std::int64_t first = graph.edge_begin(state), end = graph.edge_end(state);
    StepExit& exit = exits.emplace_back();
    exit.num_edges = as<std::int32_t>(end - first);
    exit.term_begin = std::ssize(exit_terms);
    for (std::int64_t edge = first; edge < end; ++edge) {
      if (graph.base(edge) != 0) exit_terms.push_back({0, graph.base(edge)});
      for (const RateTerm& term : graph.terms(edge)) exit_terms.push_back({1 + term.rate, term.coefficient});
    }
    exit.term_end = std::ssize(exit_terms);
  }
}

void LikelihoodTables::add_data(const Likelihood& likelihood, const CompressedLikelihood* compressed,
                                std::span<const std::int32_t> time_of) {
  numbers.constant = likelihood.constant();
  double total = 0;
  for (std::size_t p = 0; p < time_of.size(); ++p) {
    if (time_of[p] < 0) continue;
    LaneTime& time = times[time_of[p]];
    const LawPoint& point = likelihood.points()[p];
    time.asked[kDensity] = point.density;
    time.asked[kSurvival] = point.survival;
    time.asked[kCdf] = point.cdf;
    for (int kind = 0; kind < 3; ++kind) {
      time.linear[kind] = likelihood.weights()[kind][p];
      total += std::abs(time.linear[kind]);
    }
  }
  for (const Likelihood::Interval& interval : likelihood.intervals()) {
    intervals.push_back({time_of[interval.lower], time_of[interval.upper], interval.weight});
    total += interval.weight;
  }
  numbers.total_weight = total;
  if (compressed == nullptr) return;
  numbers.total_weight = compressed->total_weight();
  numbers.tail_factor = kTailFactor;
  numbers.num_tail_coefficients = kNumTailCoefficients;
  tail.assign(compressed->tail().begin(), compressed->tail().end());
  for (const CompressedLikelihood::Piece& piece : compressed->pieces()) {
    pieces.push_back({piece.law, time_of[piece.node_begin], as<std::int32_t>(piece.count),
                      as<std::int64_t>(offsets.size()), piece.weight});
    offsets.insert(offsets.end(), piece.offset.begin(), piece.offset.end());
  }
}

void LikelihoodTables::add_cycles(const StateGraph& graph, const PrcArrays& arrays,
                                  std::span<const double> reward_by_state) {
  const Spectrum spectrum(graph, reward_by_state);
  std::vector<std::int32_t> row_of(graph.num_states(), -1);
  for (std::size_t v = 0; v < arrays.state_of_row.size(); ++v) row_of[arrays.state_of_row[v]] = as<std::int32_t>(v);
  const auto add_edge = [&](std::int64_t edge) {
    const auto begin = as<std::int64_t>(edge_terms.size());
    for (const RateTerm& term : graph.terms(edge)) edge_terms.push_back({term.rate, term.coefficient});
    edges.push_back({graph.base(edge), begin, as<std::int64_t>(edge_terms.size())});
    return as<std::int64_t>(edges.size()) - 1;
  };
  for (const Spectrum::Component& component : spectrum.components()) {
    LaneCycle cycle{};
    const auto add = [&](const std::vector<Spectrum::Pair>& list) {
      for (const Spectrum::Pair& pair : list) {
        const std::int64_t forward = add_edge(pair.forward);
        pairs.push_back({pair.from, pair.to, forward, add_edge(pair.backward)});
      }
      return as<std::int64_t>(pairs.size());
    };
    cycle.pair_begin = as<std::int64_t>(pairs.size());
    cycle.tree_end = add(component.tree);
    cycle.pair_end = add(component.others);
    cycle.row_begin = as<std::int64_t>(cycle_rows.size());
    for (const std::int32_t state : component.states) cycle_rows.push_back(row_of[state]);
    cycle.row_end = as<std::int64_t>(cycle_rows.size());
    cycles.push_back(cycle);
    numbers.num_cycle_states = std::max(numbers.num_cycle_states, component.num_states);
  }
}

double LikelihoodTables::multiply_adds(const LawCost& cost, bool gradient) const {
  if (!by_contour) return 0;
  const auto num_nodes = as<std::int64_t>(nodes.size()), num_checks = as<std::int64_t>(check_nodes.size());
  const std::int64_t num_transforms = numbers.num_transforms();
  ReplayTally tally;
  tally.complex_factors = num_nodes + num_checks;
  tally.complex_solves = num_transforms * (num_nodes + num_checks) + (gradient ? num_nodes : 0);
  // Moments at 0, and the proof of each window's tilt.
  tally.real_factors = 1 + std::ssize(windows);
  tally.real_solves = 3;
  std::int64_t sums = gradient ? 2 * num_nodes * num_transforms * cost.num_rates() : 0;
  for (const LaneTime& time : times) {
    sums += num_transforms * (3 * std::int64_t{time.num_nodes} + time.num_checks);
    if (gradient) sums += num_transforms * 2 * std::int64_t{time.num_nodes};
  }
  return cost.multiply_adds(tally) + static_cast<double>(sums);
}

LikelihoodView LikelihoodTables::view() const {
  LikelihoodView view = numbers;
  view.num_nodes = as<std::int32_t>(nodes.size());
  view.num_checks = as<std::int32_t>(check_nodes.size());
  view.num_windows = as<std::int32_t>(windows.size());
  view.num_times = as<std::int32_t>(times.size());
  view.num_intervals = as<std::int32_t>(intervals.size());
  view.num_pieces = as<std::int32_t>(pieces.size());
  view.num_cycles = as<std::int32_t>(cycles.size());
  each_array(view, [](auto& pointer, const auto& array) { pointer = array.data(); });
  return view;
}

}  // namespace sojourn
