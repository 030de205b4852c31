#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>

#include "evaluation/law.hpp"
#include "expects.hpp"
#include "result/kaplan_meier.hpp"
#include "result/predictive_grid.hpp"
#include "sojourn/info.hpp"
#include "sojourn/prc.hpp"
#include "sojourn/result.hpp"

namespace sojourn {

namespace {

constexpr std::size_t kMaxCurves = 200;
/// Relative accuracy of a drawn curve: far below what a line's width shows.
constexpr double kPictureTolerance = 1e-6;

/// Log survival at the plan's points for the chosen particles, one row each; a row of NaN where it could not be had.
Matrix<double> log_survival_curves(const Posterior& posterior, const Matrix<double>& particles,
                                   const std::vector<std::size_t>& chosen, const LawPlan& plan, int num_threads,
                                   std::string& first_failure) {
  const Model& model = posterior.model();
  const std::size_t num_points = plan.points().size();
  Matrix<double> curves(chosen.size(), num_points, std::nan(""));
  std::vector<std::string> failures(chosen.size());
  std::vector<LawPlan::WorkspacePtr> workspaces;
  for (int i = 0; i < num_threads; ++i) workspaces.push_back(plan.make_workspace());
  std::atomic<std::size_t> next_workspace{0};
#pragma omp parallel num_threads(num_threads)
  {
    LawPlan::Workspace& workspace = *workspaces[next_workspace++];
    std::vector<double> theta(static_cast<std::size_t>(model.num_parameters()));
    std::vector<double> phi(static_cast<std::size_t>(model.rates.num_rates()));
    LawValues values;
#pragma omp for schedule(dynamic)
    for (std::ptrdiff_t row = 0; row < static_cast<std::ptrdiff_t>(chosen.size()); ++row) {
      // An exception may not leave a parallel region; it becomes this particle's message.
      try {
        posterior.to_theta(particles.row(chosen[row]), theta);
        model.rates.evaluate(theta, phi);
        const LawOutcome outcome = plan.values(phi, false, values, {}, workspace);
        if (outcome.ok) {
          std::copy(values.log_survival.begin(), values.log_survival.end(), curves.row(row).begin());
        } else {
          failures[row] = outcome.message.empty() ? "no route certifies the curve" : outcome.message;
        }
      } catch (const std::exception& error) {
        failures[row] = error.what();
      }
    }
  }
  for (const std::string& failure : failures) {
    if (!failure.empty()) {
      first_failure = failure;
      break;
    }
  }
  return curves;
}

}  // namespace

PredictiveCheck predictive_check(const Posterior& posterior, const SvgdResult& svgd, int num_threads) {
  const Model& model = posterior.model();
  const std::span<const Observation> items = posterior.observations().items;
  const TimeKind time_kind = model.graph.time_kind();
  PredictiveCheck check;

  const ProductLimit product_limit = kaplan_meier(items, time_kind);
  check.data_x = product_limit.x;
  check.data_survival = product_limit.survival;
  check.data_lower = product_limit.lower;
  check.data_upper = product_limit.upper;
  check.censored_x = product_limit.censored;
  if (product_limit.num_midpoints > 0) {
    check.notes.push_back(
        fmt::format("{} interval-censored observations stand at the middle of their interval in the "
                    "curve of the data; the inference itself uses the whole interval.",
                    product_limit.num_midpoints));
  }

  const PredictiveGrid grid = predictive_grid(items, time_kind);
  check.grid = grid.points;
  check.logarithmic = grid.logarithmic;
  std::vector<LawPoint> points;
  for (const double point : grid.points) points.push_back({.value = point, .survival = true});
  const bool conditional = grid.entry > 0;
  if (conditional) {
    points.push_back({.value = grid.entry, .survival = true});
    check.notes.push_back(
        fmt::format("Every observation entered late: both curves are conditional on surviving the earliest entry, {}.",
                    grid.entry));
  }

  const std::size_t num_particles = svgd.particles.num_rows();
  const std::size_t num_curves = std::min(num_particles, kMaxCurves);
  std::vector<std::size_t> chosen(num_curves);
  for (std::size_t i = 0; i < num_curves; ++i) chosen[i] = i * num_particles / num_curves;

  EvaluatorOptions options;
  options.rtol = kPictureTolerance;
  options.num_threads = 1;
  const std::vector<double> reward = posterior.reward();
  const Prc prc = eliminate(model.graph);
  const LawPlan plan(model.graph, prc, reward, std::move(points), options);
  std::string first_failure;
  const Matrix<double> curves =
      log_survival_curves(posterior, svgd.particles, chosen, plan, resolve_num_threads(num_threads), first_failure);

  std::vector<std::size_t> usable;
  for (std::size_t row = 0; row < num_curves; ++row) {
    const auto values = curves.row(row);
    if (std::none_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) usable.push_back(row);
  }
  check.num_particles = static_cast<std::int64_t>(usable.size());
  if (usable.size() < num_curves) {
    check.notes.push_back(fmt::format("{} of {} particles are left out of the band: {}", num_curves - usable.size(),
                                      num_curves, first_failure.empty() ? "not a number" : first_failure));
  }
  std::vector<double> column(usable.size());
  for (std::size_t k = 0; k < grid.points.size(); ++k) {
    for (std::size_t i = 0; i < usable.size(); ++i) {
      const double at_entry = conditional ? curves(usable[i], grid.points.size()) : 0;
      column[i] = std::clamp(std::exp(curves(usable[i], k) - at_entry), 0.0, 1.0);
    }
    std::sort(column.begin(), column.end());
    check.lower.push_back(quantile_of_sorted(column, 0.025));
    check.median.push_back(quantile_of_sorted(column, 0.5));
    check.upper.push_back(quantile_of_sorted(column, 0.975));
  }
  return check;
}

}  // namespace sojourn
