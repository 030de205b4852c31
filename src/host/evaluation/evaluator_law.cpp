#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluation/law.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/multi_law.hpp"
#include "evaluation/particle_batch.hpp"
#include "evaluation/team.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

/// The numbers of one kind among a plan's log values.
const std::vector<double>& logs_of(const LawValues& values, LawKind kind) {
  switch (kind) {
    case LawKind::kPdf:
    case LawKind::kLogPdf:
      return values.log_density;
    case LawKind::kSurvival:
    case LawKind::kLogSurvival:
      return values.log_survival;
    default:
      return values.log_cdf;
  }
}
const std::vector<double>& gradients_of(const LawValues& values, LawKind kind) {
  switch (kind) {
    case LawKind::kPdf:
    case LawKind::kLogPdf:
      return values.density_gradient;
    case LawKind::kSurvival:
    case LawKind::kLogSurvival:
      return values.survival_gradient;
    default:
      return values.cdf_gradient;
  }
}

/// The parameter vectors whose gradients may have lost digits that matter. A law inverts its transform, and so does its
/// gradient; the transform's gradient is judged on the real axis where the contours of the earliest and of the latest
/// point cross it, and once for all particles together, which costs a hundredth of the contours.
std::vector<GradientDigits> judge_gradients(const Model& model, const Prc& prc, const ParticleBatch& batch,
                                            std::span<const double> reward, bool survival,
                                            std::span<const double> points, const std::vector<LawMethod>& methods,
                                            int num_threads) {
  double first = std::numeric_limits<double>::infinity(), last = 0;
  for (const double point : points) {
    if (!(point > 0)) continue;
    first = std::min(first, point);
    last = std::max(last, point);
  }
  if (!(last > 0)) return {};
  const auto by_transform = [](LawMethod method) {
    return method == LawMethod::kContour || method == LawMethod::kSaddlepoint;
  };
  if (std::none_of(methods.begin(), methods.end(), by_transform)) return {};
  const std::vector<double> shifts{1 / last, 1 / first};
  const std::size_t num_lanes = batch.size(), num_shifts = shifts.size();
  std::vector<double> values(num_lanes * num_shifts), gradient(values.size() * batch.phi().num_cols());
  std::vector<char> in_doubt(values.size());
  replay_laplace(model.graph, prc, batch.phi(), reward, shifts, values, gradient, num_threads, in_doubt,
                 survival ? TransformOf::kSurvival : TransformOf::kDensity);
  std::vector<GradientDigits> digits(num_lanes, GradientDigits::kDouble);
  bool any = false;
  for (std::size_t k = 0; k < num_lanes; ++k) {
    const auto of = methods.begin() + static_cast<std::ptrdiff_t>(k * points.size());
    const auto doubt = in_doubt.begin() + static_cast<std::ptrdiff_t>(k * num_shifts);
    if (std::none_of(of, of + static_cast<std::ptrdiff_t>(points.size()), by_transform)) continue;
    if (std::find(doubt, doubt + static_cast<std::ptrdiff_t>(num_shifts), 1) == doubt + num_shifts) continue;
    digits[k] = GradientDigits::kInDoubt;
    any = true;
  }
  return any ? digits : std::vector<GradientDigits>{};
}

}  // namespace

Quantity Evaluator::law(MatrixView<const double> theta, std::span<const double> reward, LawKind kind,
                        std::span<const double> points, bool gradient) const {
  const bool density = kind == LawKind::kPdf || kind == LawKind::kLogPdf;
  const bool survival = kind == LawKind::kSurvival || kind == LawKind::kLogSurvival;
  const bool logarithm = kind == LawKind::kLogPdf || kind == LawKind::kLogCdf || kind == LawKind::kLogSurvival;
  SOJOURN_EXPECTS(options_.precision != Precision::kSingle, UsageError,
                  "law: not in fp32, which serves moments alone; use fp64");
  SOJOURN_EXPECTS(!points.empty(), ShapeError, "law: no points given; at least one is needed");
  if (options_.precision == Precision::kMulti) {
    return gather_multi(ParticleBatch(model_, theta), points.size(), [&](std::span<const double> phi) {
      return multi_law(model_.graph, prc_, phi, reward, kind, points, options_.digits, gradient);
    });
  }
  std::vector<LawPoint> asked;
  for (const double point : points) asked.push_back({point, density, survival, !density && !survival});

  const LawPlan plan(model_.graph, prc_, reward, std::move(asked), options_);
  const ParticleBatch batch(model_, theta);
  const std::size_t num_lanes = batch.size(), num_points = points.size(), num_rates = batch.phi().num_cols();
  Quantity quantity;
  quantity.values = Matrix<double>(num_lanes, num_points);
  quantity.error_bound = Matrix<double>(num_lanes, num_points);
  quantity.method.assign(num_lanes * num_points, LawMethod::kClosed);
  quantity.status.assign(num_lanes, "ok");
  std::vector<double> by_rate(gradient ? num_lanes * num_points * num_rates : 0);

  const int team = team_size(options_.num_threads);
  const std::size_t num_blocks = std::min<std::size_t>(num_lanes, 8 * static_cast<std::size_t>(team));
  for_each_particle(num_blocks, team, [&](std::size_t block) {
    const auto workspace = plan.make_workspace();
    LawValues values;
    for (std::size_t k = block * num_lanes / num_blocks; k < (block + 1) * num_lanes / num_blocks; ++k) {
      const LawOutcome outcome = plan.values(batch.phi().row(k), gradient, values,
                                             {quantity.method.data() + k * num_points, num_points}, *workspace);
      if (!outcome.ok) quantity.status[k] = outcome.message;
      const std::vector<double>& logs = logs_of(values, kind);
      for (std::size_t n = 0; n < num_points; ++n) {
        // A value that could not be certified is no number.
        const bool certified = values.error_bound[n] <= options_.rtol;
        const double log_value = certified ? logs[n] : std::numeric_limits<double>::quiet_NaN();
        quantity.values(k, n) = logarithm ? log_value : std::exp(log_value);
        quantity.error_bound(k, n) = values.error_bound[n];
        if (!gradient) continue;
        const double factor = logarithm ? 1.0 : quantity.values(k, n);
        const double* const from = gradients_of(values, kind).data() + n * num_rates;
        double* const to = by_rate.data() + (k * num_points + n) * num_rates;
        for (std::size_t p = 0; p < num_rates; ++p) to[p] = factor * from[p];
      }
    }
  });
  if (gradient) {
    quantity.gradient_digits = judge_gradients(model_, prc_, batch, reward, !density, points, quantity.method, team);
  }
  quantity.gradient = batch.pull_back(std::move(by_rate), num_points);
  return quantity;
}

}  // namespace sojourn
