#include "evaluation/law_routes.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "expects.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
/// Uniformization goes first only where it is clearly cheaper.
constexpr double kClearlyCheaper = 0.5;
/// What saddlepoints may add to a logarithm's roundings, in units of its own.
constexpr double kLogRoundings = 8;
/// A step of uniformization rounds a sum of one term or more and the new entry, by half an epsilon each.
constexpr double kLeastRoundingsOfStep = 1.5;

const char* const kKindName[] = {"density", "survival", "cdf"};

}  // namespace

std::span<double> LawPlan::Impl::new_row(LawEntry& entry, Workspace& workspace) const {
  entry.row = static_cast<std::int32_t>(workspace.rows.size() / std::max<std::size_t>(num_rates, 1));
  workspace.rows.resize(workspace.rows.size() + num_rates, 0.0);
  return std::span(workspace.rows).last(num_rates);
}

void LawPlan::Impl::add_gradient(std::size_t e, double factor, std::span<double> gradient,
                                 const Workspace& workspace) const {
  const LawEntry& entry = workspace.entries[e];
  if (entry.row >= 0) {
    const double* const row = workspace.rows.data() + static_cast<std::size_t>(entry.row) * num_rates;
    for (std::size_t p = 0; p < num_rates; ++p) gradient[p] += factor * row[p];
  } else if (entry.shared) {
    contour.add_gradient(time_of[point(e)], factor * entry.slope_factor,
                         kind(e) == 0 ? workspace.density_gradient : workspace.survival_gradient, gradient);
  }
}

std::string LawPlan::Impl::describe_failure(std::size_t e, const LawEntry& reached, const std::string& why) const {
  if (std::isnan(reached.log_value) && reached.error <= options.rtol)
    return fmt::format(
        "{} at point {} (value {}): {} gave no number: these rates leave the range of double precision; "
        "change the unit of time",
        kKindName[kind(e)], point(e) + 1, points[point(e)].value, to_string(reached.method));
  return fmt::format(
      "{} at point {} (value {}): {}; the relative error bound reached by {} is {:.2g}, asked was rtol {:.2g}",
      kKindName[kind(e)], point(e) + 1, points[point(e)].value, why, to_string(reached.method), reached.error,
      options.rtol);
}

void LawPlan::Impl::solve_at_zero(Workspace& workspace) const {
  const double zero = 0;
  for (const std::size_t e : asked) {
    if (points[point(e)].value > 0) continue;
    LawEntry& entry = workspace.entries[e];
    entry.method = LawMethod::kClosed;
    double value = 0;
    std::span<double> row;
    if (workspace.gradient) row = new_row(entry, workspace);
    if (kind(e) == 0 && !discrete()) {
      value = replay->density_at_zero(*workspace.replay, row);
    } else if (kind(e) == 1) {
      value = 1 - replay->atom(*workspace.replay);
      if (value < 0.5) {
        // D(0) is the same without the subtraction.
        double first = 0, second = 0;
        replay->evaluate_real(false, {&zero, 1}, {&value, 1}, {&first, 1}, {&second, 1}, *workspace.replay);
      }
      const auto by_rate = replay->atom_gradient(*workspace.replay);
      for (std::size_t p = 0; p < row.size(); ++p) row[p] = -by_rate[p];
    } else {
      value = replay->atom(*workspace.replay);
      const auto by_rate = replay->atom_gradient(*workspace.replay);
      std::copy(by_rate.begin(), by_rate.begin() + static_cast<std::ptrdiff_t>(row.size()), row.begin());
    }
    entry.log_value = std::log(value);
    entry.error = 4 * kEpsilon;
    for (double& slope : row) slope = value > 0 ? slope / value : 0.0;
  }
}

bool LawPlan::Impl::solve_all_atom(Workspace& workspace) const {
  const double zero = 0;
  double mass = 0, first = 0, second = 0;
  replay->evaluate_real(false, {&zero, 1}, {&mass, 1}, {&first, 1}, {&second, 1}, *workspace.replay);
  if (mass != 0) return false;
  const double atom = replay->atom(*workspace.replay);
  const auto by_rate = replay->atom_gradient(*workspace.replay);
  for (const std::size_t e : workspace.pending) {
    LawEntry& entry = workspace.entries[e];
    entry = {};
    entry.error = 4 * kEpsilon;
    entry.log_value = kind(e) == 2 ? std::log(atom) : -kInfinity;
    if (!workspace.gradient) continue;
    const std::span<double> row = new_row(entry, workspace);
    for (std::size_t p = 0; kind(e) == 2 && p < num_rates; ++p) row[p] = by_rate[p] / atom;
  }
  workspace.pending.clear();
  return true;
}

void LawPlan::Impl::solve_from_saddles(LawMethod method, Workspace& workspace) const {
  const double zero = 0;
  double mass = 0, first = 0, second = 0;  // 1 - atom, - its mean
  replay->evaluate_real(false, {&zero, 1}, {&mass, 1}, {&first, 1}, {&second, 1}, *workspace.replay);
  const double mean = -first / mass;
  // The atom is right to a few roundings, D(0) to as many as the chain is deep.
  if (const double atom = replay->atom(*workspace.replay); atom < 0.5) mass = 1 - atom;
  // Far beyond the mean the cdf is 1: Markov's inequality has the rest.
  std::erase_if(workspace.pending, [&](std::size_t e) {
    const double rest = mass * mean / points[point(e)].value;
    if (kind(e) != 2 || !(rest < 0.125 * kEpsilon)) return false;
    LawEntry& entry = workspace.entries[e];
    entry = {};
    entry.method = method;
    entry.error = rest;
    if (workspace.gradient) (void)new_row(entry, workspace);
    return true;
  });
  // Below the mean the survival function is one minus a small cdf, above it the cdf one minus a small survival: the
  // smaller one is what a saddle sees. Where it turns out not to be small, the value itself is asked in a second pass.
  const std::vector<std::size_t> all = workspace.pending;
  std::vector<std::size_t> open = all, failed;
  for (const bool direct : {false, true}) {
    std::vector<SaddleRequest> requests;
    for (const std::size_t e : open) {
      const double t = points[point(e)].value;
      auto side = static_cast<LawSide>(kind(e));
      if (!direct && side == LawSide::kSurvival && t < mean)
        side = LawSide::kCdf;
      else if (!direct && side == LawSide::kCdf && t > mean)
        side = LawSide::kSurvival;
      requests.push_back({t, side});
    }
    std::vector<SaddleAnswer> answers(requests.size());
    std::vector<double> gradient(workspace.gradient ? requests.size() * num_rates : 0);
    if (method == LawMethod::kContour) {
      TiltedContour(*replay, discrete()).invert(requests, options.rtol, answers, gradient, *workspace.replay);
    } else {
      SaddlepointContour(*replay, discrete()).invert(requests, options.rtol, answers, gradient, *workspace.replay);
    }
    std::vector<std::size_t> again;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::size_t e = open[i];
      const std::span<const double> slope(gradient.data() + (workspace.gradient ? i * num_rates : 0),
                                          workspace.gradient ? num_rates : 0);
      if (!settle_saddle(e, requests[i].side, answers[i], slope, mass, method, workspace)) {
        again.push_back(e);
      } else if (!holds(workspace.entries[e], workspace)) {
        failed.push_back(e);
      }
    }
    open = std::move(again);
    if (open.empty()) break;
  }
  std::sort(failed.begin(), failed.end());
  workspace.pending = std::move(failed);
}

std::size_t LawPlan::Impl::count_tilted_windows(Workspace& workspace) const {
  std::vector<double>& sorted = workspace.trial_values;
  sorted.clear();
  for (const std::size_t e : workspace.pending) sorted.push_back(points[point(e)].value);
  std::sort(sorted.begin(), sorted.end());
  std::size_t count = 0;
  double first = -1;
  for (const double t : sorted) {
    if (first > 0 && t <= TiltedContour::kRatio * first) continue;
    first = t;
    ++count;
  }
  return count;
}

bool LawPlan::Impl::settle_saddle(std::size_t e, LawSide side, const SaddleAnswer& answer,
                                  std::span<const double> slope, double mass, LawMethod method,
                                  Workspace& workspace) const {
  LawEntry& entry = workspace.entries[e];
  entry = {};
  entry.method = method;
  entry.log_value = answer.log_value;
  entry.error = answer.error;
  const double atom = replay->atom(*workspace.replay);
  const auto atom_slope = replay->atom_gradient(*workspace.replay);
  double own = 1, by_atom = 0;  // d log value = own * d log integral + by_atom * d atom
  if (static_cast<LawSide>(kind(e)) != side) {
    const double part = std::exp(answer.log_value);
    if (!(part <= 0.5 * mass)) return false;
    const bool survival = kind(e) == 1;
    const double rest = survival ? mass - part : 1 - part;
    own = -part / rest;
    by_atom = survival ? -1 / rest : 0;
    entry.log_value = survival ? std::log(rest) : std::log1p(-part);
    entry.error = answer.error * part / rest + 4 * kEpsilon;
  } else if (side == LawSide::kCdf && atom > 0) {
    const double part = std::exp(answer.log_value), whole = atom + part;
    own = part / whole;
    by_atom = 1 / whole;
    entry.log_value = std::log(whole);
    entry.error = answer.error * own + kEpsilon;
  }
  if (!workspace.gradient) return true;
  const std::span<double> row = new_row(entry, workspace);
  for (std::size_t p = 0; p < num_rates; ++p) {
    row[p] = own == 0 ? 0.0 : own * slope[p];
    if (by_atom != 0) row[p] += by_atom * atom_slope[p];
  }
  return true;
}

std::string LawPlan::Impl::solve_by_steps(std::span<const double> phi, Workspace& workspace) const {
  const LawMethod method = discrete() ? LawMethod::kStepping : LawMethod::kUniformization;
  // Points that would take too many steps stay behind, so that they do not keep the others from their values.
  std::vector<std::size_t> left;
  if (!discrete()) {
    const double rate = cost->uniformization_rate(phi);
    const double steps = static_cast<double>(options.max_terms) / static_cast<double>(graph.num_edges());
    const auto too_far = [&](std::size_t e) { return rate * points[point(e)].value > steps; };
    std::copy_if(workspace.pending.begin(), workspace.pending.end(), std::back_inserter(left), too_far);
    if (left.size() < workspace.pending.size()) {
      std::erase_if(workspace.pending, too_far);
    } else {
      left.clear();
    }
  }
  // One request per point, whatever is asked of it.
  std::vector<std::int32_t> place(points.size(), -1);
  std::vector<LawPoint> requests;
  for (const std::size_t e : workspace.pending) {
    const std::size_t n = point(e);
    if (place[n] < 0) {
      place[n] = static_cast<std::int32_t>(requests.size());
      requests.push_back({points[n].value, false, false, false});
    }
    LawPoint& request = requests[static_cast<std::size_t>(place[n])];
    (kind(e) == 0 ? request.density : kind(e) == 1 ? request.survival : request.cdf) = true;
  }
  try {
    const NumericChain chain = numeric_chain(graph, phi, reward, workspace.gradient);
    if (discrete()) {
      stepping(chain, requests, options.max_terms, workspace.gradient, workspace.values);
    } else {
      uniformization(chain, requests, 0.1 * options.rtol, options.max_terms, workspace.gradient, workspace.values);
    }
  } catch (const NumericalError& error) {
    workspace.pending.insert(workspace.pending.end(), left.begin(), left.end());
    return error.what();
  }
  const bool some_too_far = !left.empty();
  for (const std::size_t e : workspace.pending) {
    const auto i = static_cast<std::size_t>(place[point(e)]);
    LawEntry& entry = workspace.entries[e];
    entry = {};
    entry.method = method;
    const LawValues& values = workspace.values;
    entry.log_value = (kind(e) == 0 ? values.log_density : kind(e) == 1 ? values.log_survival : values.log_cdf)[i];
    entry.error = values.error_bound[i];
    if (workspace.gradient) {
      const std::vector<double>& by_rate = kind(e) == 0   ? values.density_gradient
                                           : kind(e) == 1 ? values.survival_gradient
                                                          : values.cdf_gradient;
      const std::span<double> row = new_row(entry, workspace);
      std::copy_n(by_rate.begin() + static_cast<std::ptrdiff_t>(i * num_rates), num_rates, row.begin());
    }
    if (!holds(entry, workspace) || std::isnan(entry.log_value)) left.push_back(e);
  }
  workspace.pending = std::move(left);
  if (some_too_far) {
    return fmt::format(
        "uniformization would need more than the {} terms allowed; raise max_terms (--max-terms of evaluate)",
        options.max_terms);
  }
  return {};
}

bool LawPlan::Impl::holds(const LawEntry& entry, const Workspace& workspace) const {
  if (entry.error <= options.rtol) return true;
  return workspace.sums_logarithms && std::isfinite(entry.log_value) &&
         entry.error <= kLogRoundings * kEpsilon * std::fabs(entry.log_value);
}

bool LawPlan::Impl::is_beyond_steps(std::size_t e, double rate, const Workspace& workspace) const {
  const LawEntry& entry = workspace.entries[e];
  if (entry.method != LawMethod::kSaddlepoint || !std::isfinite(entry.log_value) || kind(e) == 2) return false;
  // Steps that end at N leave out what a Poisson law of their mean has beyond it, so that the value is at most the
  // part up to N, which Chernoff's bound puts below exp(-mean h(N / mean)), h(x) = 1 - x + x log x.
  const double mean = rate * points[point(e)].value;
  const double left_out = std::max(0.0, (kind(e) == 0 ? std::log(rate) : 0.0) - entry.log_value);
  double low = 0, high = 1;
  while (high - low > 1e-3) {
    const double x = 0.5 * (low + high);
    (mean * (1 - x + x * std::log(x)) > left_out ? low : high) = x;
  }
  LawEntry by_steps = entry;
  by_steps.error = kEpsilon * (kLeastRoundingsOfStep * low * mean + 2 * std::fabs(entry.log_value));
  return !holds(by_steps, workspace);
}

void LawPlan::Impl::count_routes(LawOutcome& outcome, Workspace& workspace) const {
  std::fill(workspace.routes.begin(), workspace.routes.end(), LawMethod::kClosed);
  for (const std::size_t e : asked) {
    const LawEntry& entry = workspace.entries[e];
    // Not std::max, which would lose a NaN.
    if (!(entry.error <= outcome.error_bound)) outcome.error_bound = entry.error;
    LawMethod& route = workspace.routes[point(e)];
    if (entry.method != LawMethod::kClosed)
      route = route == LawMethod::kClosed ? entry.method : std::max(route, entry.method);
  }
  outcome.multiply_adds = cost->multiply_adds(workspace.replay->tally) + workspace.sum_multiply_adds;
  for (const LawMethod route : workspace.routes) {
    outcome.num_contour += route == LawMethod::kContour;
    outcome.num_saddlepoint += route == LawMethod::kSaddlepoint;
    outcome.num_uniformization += route == LawMethod::kUniformization;
    outcome.num_stepping += route == LawMethod::kStepping;
    outcome.num_closed += route == LawMethod::kClosed;
  }
}

LawOutcome LawPlan::Impl::solve(std::span<const double> phi, bool gradient, Workspace& workspace) const {
  SOJOURN_EXPECTS(phi.size() == num_rates, ShapeError, "law: phi has {} values; the model has {} rates", phi.size(),
                  num_rates);
  LawOutcome outcome;
  workspace.gradient = gradient;
  workspace.replay->tally = {};
  workspace.sum_multiply_adds = 0;
  workspace.rows.clear();
  workspace.pending.clear();
  for (const std::size_t e : asked) workspace.entries[e] = {kNan, kInfinity, 0, -1, false, LawMethod::kClosed};

  const LawMethod method = options.method;
  const bool automatic = method == LawMethod::kAuto;
  std::string why;  // the last route's reason to leave values open
  const std::int64_t bad = first_bad_edge(graph, phi);
  if (bad >= 0) {
    outcome.ok = false;
    outcome.message = fmt::format("edge {} -> {}: weight {} must be finite and >= 0", graph.edge_from(bad),
                                  graph.edge_to(bad), graph.weight(bad, phi));
    return outcome;
  }

  if (discrete()) {
    workspace.pending = asked;
    if (automatic || method == LawMethod::kContour) why = solve_counts_by_contour(phi, workspace);
    if (method == LawMethod::kSaddlepoint) why = solve_counts_by_saddles(phi, workspace);
    if (!workspace.pending.empty() && (automatic || method == LawMethod::kStepping)) {
      why = solve_by_steps(phi, workspace);
      if (why.empty()) why = "stepping's bound is too large; use a larger rtol";
    } else if (!workspace.pending.empty() && why.empty()) {
      why = fmt::format("method {} is for continuous time; use auto, contour, saddlepoint or stepping",
                        to_string(method));
    }
  } else {
    replay->set_particle(phi, *workspace.replay);
    solve_at_zero(workspace);
    for (const std::size_t e : asked) {
      if (points[point(e)].value > 0) workspace.pending.push_back(e);
    }
    const auto count_points = [&] { return workspace.pending.size(); };
    const double turn = spectrum->imaginary_bound(phi, workspace.spectrum_scratch) * largest_value;
    const bool real = turn <= kLargestTurn;
    double rate = 0, open_value = largest_value;
    if (automatic) rate = cost->uniformization_rate(phi);
    const auto uniformization_fits = [&] {
      return rate * open_value * static_cast<double>(graph.num_edges()) <= static_cast<double>(options.max_terms);
    };
    const char* const not_real =
        "the poles are not proved real here (a cycle fails Kolmogorov's criterion); use auto or uniformization";

    if (!workspace.pending.empty() && (automatic || method == LawMethod::kContour)) {
      const std::size_t num_transforms = (wants_density ? 1 : 0) + (wants_survival ? 1 : 0);
      const double by_contour =
          cost->contour(contour.nodes().size(), contour.check_nodes().size(), num_transforms, workspace.pending.size());
      const bool steps_first = automatic && uniformization_fits() &&
                               cost->uniformization(rate, open_value, count_points()) < kClearlyCheaper * by_contour;
      if (real && !steps_first) {
        workspace.pending.clear();
        solve_by_contour(workspace);
        why = "the shared contour's check does not certify it; use auto";
      } else if (!automatic) {
        why = not_real;
      }
    }
    if (!workspace.pending.empty() && solve_all_atom(workspace)) why.clear();
    const auto steps_cheaper_than = [&](double other) {
      open_value = 0;
      for (const std::size_t e : workspace.pending) open_value = std::max(open_value, points[point(e)].value);
      return automatic && uniformization_fits() && cost->uniformization(rate, open_value, count_points()) < other;
    };
    if (!workspace.pending.empty() && (automatic || method == LawMethod::kContour) && real) {
      const double by_tilting = cost->tilted_contour(count_tilted_windows(workspace), workspace.pending.size());
      const bool saddles_cheaper = automatic && cost->saddlepoint(workspace.pending.size()) < by_tilting;
      if (!saddles_cheaper && !steps_cheaper_than(by_tilting)) solve_from_saddles(LawMethod::kContour, workspace);
    }
    if (!workspace.pending.empty() && (automatic || method == LawMethod::kSaddlepoint)) {
      if (real && !steps_cheaper_than(cost->saddlepoint(workspace.pending.size()))) {
        solve_from_saddles(LawMethod::kSaddlepoint, workspace);
        why = "the saddlepoint contour's rules do not agree; use auto, or a larger rtol";
      } else if (!automatic) {
        why = not_real;
      }
    }
    if (!workspace.pending.empty() && (automatic || method == LawMethod::kUniformization)) {
      const auto is_within = [&](std::size_t e) { return !automatic || !is_beyond_steps(e, rate, workspace); };
      const auto tail = std::ranges::stable_partition(workspace.pending, is_within);
      const std::vector<std::size_t> beyond(tail.begin(), tail.end());
      workspace.pending.erase(tail.begin(), tail.end());
      if (!workspace.pending.empty()) {
        const std::string refusal = solve_by_steps(phi, workspace);
        why = refusal.empty() ? "uniformization's bound is too large; use a larger rtol" : refusal;
      } else {
        why = "so far in the tail no method of double precision reaches it; use a larger rtol, or --precision multi";
      }
      workspace.pending.insert(workspace.pending.end(), beyond.begin(), beyond.end());
    }
    if (!workspace.pending.empty() && (method == LawMethod::kStepping || method == LawMethod::kClosed)) {
      why = fmt::format("method {} does not apply to positive points in continuous time; use auto", to_string(method));
    }
  }

  count_routes(outcome, workspace);
  if (!workspace.pending.empty()) {
    outcome.ok = false;
    const std::size_t e = workspace.pending.front();
    outcome.message = describe_failure(e, workspace.entries[e], why);
    if (workspace.pending.size() > 1) {
      outcome.message += fmt::format(" (and {} more values)", workspace.pending.size() - 1);
    }
  }
  return outcome;
}

}  // namespace sojourn
