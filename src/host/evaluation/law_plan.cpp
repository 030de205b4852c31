#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "evaluation/law_routes.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

/// Smaller counts never have a hyperbola within the period.
constexpr double kLeastCount = 30;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void expect_points(const StateGraph& graph, std::span<const double> reward, std::span<const LawPoint> points,
                   const EvaluatorOptions& options) {
  SOJOURN_EXPECTS(reward.size() == static_cast<std::size_t>(graph.num_states()), ShapeError,
                  "law: reward has {} values; the model has {} states", reward.size(), graph.num_states());
  SOJOURN_EXPECTS(options.rtol > 0 && options.rtol < 1, UsageError, "law: rtol {} must lie between 0 and 1",
                  options.rtol);
  for (std::size_t n = 0; n < points.size(); ++n) {
    const double value = points[n].value;
    SOJOURN_EXPECTS(std::isfinite(value) && value >= 0, UsageError,
                    "law: point {} is {}; points must be finite and >= 0", n + 1, value);
    SOJOURN_EXPECTS(graph.time_kind() == TimeKind::kContinuous || value == std::floor(value), UsageError,
                    "law: point {} is {}; in discrete time points are whole numbers", n + 1, value);
  }
}

}  // namespace

LawPlan::Impl::Impl(const StateGraph& graph_in, const Prc& prc, std::span<const double> reward_in,
                    std::vector<LawPoint> points_in, const EvaluatorOptions& options_in)
    : graph(graph_in),
      reward(reward_in.begin(), reward_in.end()),
      points(std::move(points_in)),
      options(options_in),
      num_rates(static_cast<std::size_t>(graph_in.num_rates())),
      time_of(points.size(), 0) {
  expect_points(graph, reward, points, options);
  for (std::size_t n = 0; n < points.size(); ++n) {
    const LawPoint& p = points[n];
    largest_value = std::max(largest_value, p.value);
    if (p.value > 0 && (p.density || p.survival || p.cdf)) {
      wants_density |= p.density;
      wants_survival |= p.survival || p.cdf;
      time_of[n] = times.size();
      times.push_back(n);
    }
  }
  for (std::size_t kind = 0; kind < 3; ++kind) {
    for (std::size_t n = 0; n < points.size(); ++n) {
      const LawPoint& p = points[n];
      if (kind == 0 ? p.density : kind == 1 ? p.survival : p.cdf) asked.push_back(kind * points.size() + n);
    }
  }
  replay.emplace(graph, prc, reward);
  spectrum.emplace(graph, reward);
  cost.emplace(graph, prc, reward);
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  // Stepping refuses other rewards with a reason; here they would need powers of the generating function's variable.
  counts_time = discrete && std::all_of(reward.begin(), reward.end(), [](double r) { return r == 0 || r == 1; });
  const bool contour_allowed = options.method == LawMethod::kAuto || options.method == LawMethod::kContour;
  if (!contour_allowed) return;
  if (discrete) std::erase_if(times, [&](std::size_t n) { return !counts_time || points[n].value < kLeastCount; });
  while (true) {
    std::vector<double> contour_times;
    for (const std::size_t n : times) contour_times.push_back(points[n].value);
    contour = SharedContour(contour_times, options.rtol);
    // The generating function has a period; small counts, whose hyperbola would be higher, are left to stepping.
    std::vector<std::size_t> left;
    for (std::size_t j = 0; j < times.size(); ++j) {
      if (!discrete || contour.height(contour.window_of(j)) <= std::numbers::pi) left.push_back(times[j]);
    }
    if (left.size() == times.size()) break;
    times = std::move(left);
  }
  on_contour.resize(points.size());
  for (std::size_t j = 0; j < times.size(); ++j) {
    time_of[times[j]] = j;
    on_contour[times[j]] = 1;
  }
}

LawPlan::LawPlan(const StateGraph& graph, const Prc& prc, std::span<const double> reward, std::vector<LawPoint> points,
                 const EvaluatorOptions& options)
    : impl_(std::make_unique<Impl>(graph, prc, reward, std::move(points), options)) {}
LawPlan::~LawPlan() = default;
LawPlan::LawPlan(LawPlan&&) noexcept = default;

const std::vector<LawPoint>& LawPlan::points() const { return impl_->points; }

void LawPlan::WorkspaceDelete::operator()(Workspace* workspace) const { delete workspace; }

LawPlan::WorkspacePtr LawPlan::make_workspace() const {
  WorkspacePtr workspace(new Workspace);
  const Impl& impl = *impl_;
  if (impl.replay) {
    workspace->replay = impl.replay->make_workspace();
    workspace->spectrum_scratch.resize(impl.spectrum->scratch_size());
  }
  const std::size_t nodes = impl.contour.nodes().size(), checks = impl.contour.check_nodes().size();
  if (impl.wants_density) {
    workspace->density.resize(nodes);
    workspace->density_gradient.resize(nodes * impl.num_rates);
    workspace->density_check.resize(checks);
  }
  if (impl.wants_survival) {
    workspace->survival.resize(nodes);
    workspace->survival_gradient.resize(nodes * impl.num_rates);
    workspace->survival_check.resize(checks);
  }
  workspace->nodes.resize(nodes);
  workspace->check_nodes.resize(checks);
  workspace->tilts.resize(impl.contour.num_windows());
  workspace->proved = std::make_unique<bool[]>(impl.contour.num_windows());
  workspace->contour_scratch.resize(impl.contour.scratch_size());
  workspace->inverted.resize(impl.times.size());
  workspace->inverted_error.resize(impl.times.size());
  workspace->by_time.resize(impl.times.size());
  workspace->entries.resize(3 * impl.points.size());
  workspace->routes.resize(impl.points.size());
  workspace->log_values.resize(3 * impl.points.size());
  workspace->by_log_values.resize(3 * impl.points.size());
  workspace->pending.reserve(3 * impl.points.size());
  return workspace;
}

std::int64_t LawPlan::num_bytes() const {
  const Impl& impl = *impl_;
  const std::size_t states = impl.reward.size(), points = impl.points.size();
  // Rewards by state and by row, and what one earns at once for `LawCost`.
  const std::size_t own = 3 * sizeof(double) * states + sizeof(LawPoint) * points +
                          sizeof(std::size_t) * (impl.asked.size() + 2 * points) + points;
  return static_cast<std::int64_t>(own) + impl.spectrum->num_bytes() + impl.contour.num_bytes();
}

std::int64_t LawPlan::workspace_bytes(bool gradient) const {
  const Impl& impl = *impl_;
  const int transforms = (impl.wants_density ? 1 : 0) + (impl.wants_survival ? 1 : 0);
  const std::size_t nodes = impl.contour.nodes().size(), checks = impl.contour.check_nodes().size();
  const std::size_t complex_numbers =
      static_cast<std::size_t>(transforms) * (nodes * (gradient ? 1 + impl.num_rates : 1) + checks) + nodes + checks;
  const std::size_t doubles = impl.spectrum->scratch_size() + impl.contour.scratch_size() + 3 * impl.times.size();
  const std::size_t by_point = 3 * (sizeof(LawEntry) + 2 * sizeof(double) + sizeof(std::size_t)) + sizeof(LawMethod);
  return impl.replay->workspace_bytes(transforms, gradient) +
         static_cast<std::int64_t>(16 * complex_numbers + 8 * doubles + by_point * impl.points.size());
}

double LawPlan::bytes_per_point(double smallest, double largest, double rtol) {
  if (!(largest > 0)) return sizeof(LawPoint);
  const double ends[] = {smallest > 0 ? smallest : largest, largest};
  const SharedContour contour(ends, rtol);
  return static_cast<double>(contour.num_bytes()) / 2 + sizeof(LawPoint) + 3 * sizeof(std::size_t);
}

LawOutcome LawPlan::values(std::span<const double> phi, bool gradient, LawValues& values, std::span<LawMethod> methods,
                           Workspace& workspace) const {
  const Impl& impl = *impl_;
  const std::size_t num_points = impl.points.size(), num_rates = impl.num_rates;
  SOJOURN_EXPECTS(methods.empty() || methods.size() == num_points, ShapeError,
                  "law: methods has {} places for {} points", methods.size(), num_points);
  std::vector<double>* const logs[] = {&values.log_density, &values.log_survival, &values.log_cdf};
  std::vector<double>* const gradients[] = {&values.density_gradient, &values.survival_gradient, &values.cdf_gradient};
  for (std::size_t kind = 0; kind < 3; ++kind) {
    logs[kind]->assign(num_points, kNan);
    gradients[kind]->assign(gradient ? num_points * num_rates : 0, 0.0);
  }
  values.error_bound.assign(num_points, 0.0);
  workspace.sums_logarithms = false;
  const LawOutcome outcome = impl.solve(phi, gradient, workspace);
  std::copy_n(workspace.routes.begin(), methods.size(), methods.begin());
  for (const std::size_t e : impl.asked) {
    const LawEntry& entry = workspace.entries[e];
    const std::size_t kind = impl.kind(e), n = impl.point(e);
    (*logs[kind])[n] = entry.log_value;
    // Not std::max, which would lose a NaN.
    if (!(entry.error <= values.error_bound[n])) values.error_bound[n] = entry.error;
    if (gradient && entry.error <= impl.options.rtol) {
      impl.add_gradient(e, 1, std::span(*gradients[kind]).subspan(n * num_rates, num_rates), workspace);
    }
  }
  return outcome;
}

LawOutcome LawPlan::objective(std::span<const double> phi, const LawObjective& objective, double& value,
                              std::span<double> gradient, Workspace& workspace) const {
  const Impl& impl = *impl_;
  SOJOURN_EXPECTS(gradient.empty() || gradient.size() == impl.num_rates, ShapeError,
                  "law: the gradient has {} places for {} rates", gradient.size(), impl.num_rates);
  workspace.sums_logarithms = true;
  LawOutcome outcome = impl.solve(phi, !gradient.empty(), workspace);
  value = kNan;
  std::fill(gradient.begin(), gradient.end(), kNan);
  if (!outcome.ok) return outcome;

  const std::size_t num_points = impl.points.size();
  std::fill(workspace.log_values.begin(), workspace.log_values.end(), kNan);
  std::fill(workspace.by_log_values.begin(), workspace.by_log_values.end(), 0.0);
  for (const std::size_t e : impl.asked) workspace.log_values[e] = workspace.entries[e].log_value;
  const auto logs = [&](std::size_t kind) {
    return std::span<const double>(workspace.log_values).subspan(kind * num_points, num_points);
  };
  const auto slopes = [&](std::size_t kind) {
    return std::span(workspace.by_log_values).subspan(kind * num_points, num_points);
  };
  value = objective(logs(0), logs(1), logs(2), slopes(0), slopes(1), slopes(2));
  if (gradient.empty()) return outcome;

  std::fill(gradient.begin(), gradient.end(), 0.0);
  // The contour's part: one weight per node from all points, then one pass over the nodes.
  for (const bool density : {true, false}) {
    std::fill(workspace.by_time.begin(), workspace.by_time.end(), 0.0);
    bool any = false;
    for (const std::size_t e : impl.asked) {
      const LawEntry& entry = workspace.entries[e];
      if (!entry.shared || (impl.kind(e) == 0) != density) continue;
      workspace.by_time[impl.time_of[impl.point(e)]] += workspace.by_log_values[e] * entry.slope_factor;
      any = true;
    }
    if (!any) continue;
    impl.contour.add_gradient(workspace.by_time, density ? workspace.density_gradient : workspace.survival_gradient,
                              gradient, workspace.contour_scratch);
    outcome.multiply_adds += impl.contour.multiply_adds_of_gradient(workspace.by_time, impl.num_rates);
  }
  for (const std::size_t e : impl.asked) {
    if (workspace.entries[e].row >= 0) impl.add_gradient(e, workspace.by_log_values[e], gradient, workspace);
  }
  return outcome;
}

}  // namespace sojourn
