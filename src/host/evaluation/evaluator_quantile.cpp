#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluation/law.hpp"
#include "evaluation/particle_batch.hpp"
#include "evaluation/team.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// One law at one particle, asked point by point.
class PointLaw {
 public:
  PointLaw(const StateGraph& graph, const Prc& prc, std::span<const double> reward, std::span<const double> phi,
           const EvaluatorOptions& options)
      : graph_(graph), prc_(prc), reward_(reward), phi_(phi), options_(options) {}

  struct At {
    double log_density = 0, log_survival = 0, log_cdf = 0;
  };
  /// False, with `message` set, where the law cannot be certified.
  bool look(double value, bool gradient) {
    const LawPlan plan(graph_, prc_, reward_, {{value, true, true, true}}, options_);
    const auto workspace = plan.make_workspace();
    const LawOutcome outcome = plan.values(phi_, gradient, values_, {}, *workspace);
    if (!outcome.ok) message = outcome.message;
    at = {values_.log_density[0], values_.log_survival[0], values_.log_cdf[0]};
    return outcome.ok;
  }
  [[nodiscard]] const std::vector<double>& cdf_gradient() const { return values_.cdf_gradient; }
  [[nodiscard]] const std::vector<double>& survival_gradient() const { return values_.survival_gradient; }

  At at;
  std::string message;

 private:
  const StateGraph& graph_;
  const Prc& prc_;
  std::span<const double> reward_, phi_;
  const EvaluatorOptions& options_;
  LawValues values_;
};

/// log(survival) - log(1 - p) in the upper half, log(p) - log(cdf) in the lower one: falls with the value, zero at the
/// quantile, and keeps relative accuracy in both tails.
double gap(const PointLaw::At& at, double p) {
  return p > 0.5 ? at.log_survival - std::log1p(-p) : std::log(p) - at.log_cdf;
}
/// Its derivative by the value.
double gap_slope(const PointLaw::At& at, double p) {
  return -std::exp(at.log_density - (p > 0.5 ? at.log_survival : at.log_cdf));
}

/// Bracket by doubling from `start`, then Newton's method on the logarithm, by bisection where a step leaves the
/// bracket. NaN where the law cannot be certified.
double continuous_quantile(PointLaw& law, double p, double start, double rtol) {
  double low = 0, high = kInfinity, value = start;
  constexpr int kMaxSteps = 300;
  for (int step = 0; step < kMaxSteps; ++step) {
    if (!law.look(value, false)) return kNan;
    const double g = gap(law.at, p);
    if (g == 0) return value;
    (g > 0 ? low : high) = value;
    double next = value - g / gap_slope(law.at, p);
    if (!(next > low && next < high)) {
      if (high == kInfinity) {
        next = 2 * value;
      } else if (low == 0) {
        // Towards zero the cdf is a power of the value, a line to logarithms of both.
        const double by_logarithms = value * std::exp(-g / (gap_slope(law.at, p) * value));
        next = std::min(by_logarithms > 0 ? by_logarithms : value / 2, high / 2);
        if (next < std::numeric_limits<double>::min()) return 0;
      } else {
        next = 0.5 * (low + high);
      }
    }
    // Far from the quantile the tangent of a logarithm can be nearly flat.
    if (high == kInfinity) next = std::min(next, 8 * value);
    if (std::abs(next - value) <= 0.01 * rtol * value) return next;
    value = next;
  }
  return kNan;
}

/// The smallest count n with P(Y <= n) >= p.
double discrete_quantile(PointLaw& law, double p) {
  double low = -1, high = 1;
  for (; high < 0x1p53; high *= 2) {
    if (!law.look(high, false)) return kNan;
    if (gap(law.at, p) <= 0) break;
    low = high;
  }
  if (!(high < 0x1p53)) return kNan;
  while (high - low > 1) {
    const double middle = std::floor(0.5 * (low + high));
    if (!law.look(middle, false)) return kNan;
    (gap(law.at, p) <= 0 ? high : low) = middle;
  }
  return high;
}

}  // namespace

Quantity Evaluator::quantile(MatrixView<const double> theta, std::span<const double> reward,
                             std::span<const double> probabilities, bool gradient) const {
  SOJOURN_EXPECTS(options_.precision != Precision::kSingle, UsageError,
                  "quantile: not in fp32, which serves moments alone; use fp64");
  SOJOURN_EXPECTS(options_.precision == Precision::kDouble, UsageError,
                  "quantile: not in multi precision; use fp64, and check it by the cdf in multi");
  for (std::size_t n = 0; n < probabilities.size(); ++n) {
    SOJOURN_EXPECTS(probabilities[n] > 0 && probabilities[n] < 1, UsageError,
                    "quantile: probability {} is {}; it must lie strictly between 0 and 1", n + 1, probabilities[n]);
  }
  const ParticleBatch batch(model_, theta);
  const Quantity mean = moments(theta, reward, 1, false);
  const std::size_t num_lanes = batch.size(), num_points = probabilities.size(), num_rates = batch.phi().num_cols();
  const bool discrete = model_.graph.time_kind() == TimeKind::kDiscrete;
  Quantity quantity;
  quantity.values = Matrix<double>(num_lanes, num_points);
  quantity.error_bound = Matrix<double>(num_lanes, num_points, options_.rtol);
  quantity.status.assign(num_lanes, "ok");
  std::vector<double> by_rate(gradient ? num_lanes * num_points * num_rates : 0);

  for_each_particle(num_lanes, team_size(options_.num_threads), [&](std::size_t k) {
    PointLaw law(model_.graph, prc_, reward, batch.phi().row(k), options_);
    const double start = mean.values(k, 0);
    for (std::size_t n = 0; n < num_points; ++n) {
      const double p = probabilities[n];
      double& value = quantity.values(k, n);
      // The atom at zero is part of the law.
      if (!law.look(0, false)) {
        value = kNan;
        quantity.status[k] = law.message;
        continue;
      }
      if (law.at.log_cdf >= std::log(p)) {
        value = 0;
        continue;
      }
      if (!(start > 0) || !std::isfinite(start)) {
        value = kNan;
        quantity.status[k] = "quantile: absorption is impossible here: a state has no weight leaving it";
        continue;
      }
      value = discrete ? discrete_quantile(law, p) : continuous_quantile(law, p, start, options_.rtol);
      if (std::isnan(value)) {
        quantity.status[k] = law.message.empty() ? fmt::format("quantile {}: no convergence", p) : law.message;
        continue;
      }
      if (!gradient || discrete || value == 0) continue;
      if (!law.look(value, true)) {
        quantity.status[k] = law.message;
        continue;
      }
      // d quantile = -(d cdf / d phi) / pdf, with d cdf = cdf dlog cdf = -survival dlog survival.
      const bool upper = p > 0.5;
      const auto& by_log = upper ? law.survival_gradient() : law.cdf_gradient();
      const double factor = std::exp((upper ? law.at.log_survival : law.at.log_cdf) - law.at.log_density);
      for (std::size_t r = 0; r < num_rates; ++r) {
        by_rate[(k * num_points + n) * num_rates + r] = (upper ? 1.0 : -1.0) * factor * by_log[r];
      }
    }
  });
  quantity.gradient = batch.pull_back(std::move(by_rate), num_points);
  return quantity;
}

}  // namespace sojourn
