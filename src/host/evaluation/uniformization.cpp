#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "evaluation/stepping.hpp"
#include "evaluation/uniformization_stepper.hpp"
#include "evaluation/uniformization_sums.hpp"
#include "evaluation/uniformization_weights.hpp"
#include "evaluation/uniformization_wide.hpp"
#include "expects.hpp"

namespace sojourn {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kUnit = 0x1p-53;     ///< rounding unit
constexpr double kCutBits = 57;       ///< a rest below 2^-57 of a sum ends it; cheaper in steps than it is in trust
constexpr double kGradientBits = 40;  ///< the same for derivatives
constexpr double kFarBits = 100;      ///< a Poisson tail this far below a value ends its derivatives as well
constexpr double kSkipMean = 4096;    ///< below this mean every step is summed
constexpr double kSkipBits = 100;     ///< margin of the left cut of the Poisson weights

/// Least number of steps from the start to an exit; num_states where no path has weight.
std::int64_t steps_to_exit(const NumericChain& chain) {
  std::vector<std::int32_t> queue;
  std::vector<std::int64_t> distance(chain.num_states, -1);
  for (std::int32_t i = 0; i < chain.num_states; ++i) {
    if (chain.alpha[i] > 0) {
      distance[i] = 0;
      queue.push_back(i);
    }
  }
  for (std::size_t next = 0; next < queue.size(); ++next) {
    const std::int32_t i = queue[next];
    if (chain.exit[i] > 0) return distance[i];
    for (std::int64_t e = chain.row_begin[i]; e < chain.row_begin[i + 1]; ++e) {
      if (chain.weight[e] > 0 && distance[chain.column[e]] < 0) {
        distance[chain.column[e]] = distance[i] + 1;
        queue.push_back(chain.column[e]);
      }
    }
  }
  return chain.num_states;
}

double largest_rate(const NumericChain& chain) {
  double rate = 0;
  for (std::int32_t i = 0; i < chain.num_states; ++i) {
    rate = std::max(rate, std::accumulate(chain.weight.begin() + chain.row_begin[i],
                                          chain.weight.begin() + chain.row_begin[i + 1], chain.exit[i]));
  }
  return rate;
}

/// Steps until the Poisson tail, or in the left tail the way to an exit, is behind. An upper estimate: a run ends
/// earlier once the mass is absorbed.
double predicted_steps(const NumericChain& chain, std::span<const LawPoint> points) {
  double latest = 0;
  for (const LawPoint& point : points) latest = std::max(latest, point.value);
  const double mean = latest * largest_rate(chain);
  const auto distance = static_cast<double>(steps_to_exit(chain));
  return mean + distance + 9 * std::sqrt(mean + distance * std::min(1.0, mean)) + 64;
}

double terms_per_step(const NumericChain& chain) {
  return static_cast<double>(chain.column.size()) + 2.0 * chain.num_states;
}

/// Sums of one point and what bounds their error.
struct PointState {
  std::size_t point = 0;
  double mean = 0;
  std::int64_t first = 0;            ///< steps before carry no weight worth summing
  double log2_skipped = -kInfinity;  ///< bound of the weight of those
  double log2_lost = -kInfinity;     ///< bound of what dropped entries would have given
  std::int64_t steps = 0;            ///< steps taken when the sums were complete
  ScaledSum sum[3];                  ///< by ScalarBlock::Kind
  bool done = false;
};

/// P(N >= n) of the Poisson law, as a sum of small numbers on either side of the mean.
double upper_weight(std::int64_t n, double mean) {
  double mantissa[ScalarBlock::kSteps];
  std::int64_t exponent[ScalarBlock::kSteps];
  const bool below = static_cast<double>(n) <= mean;
  double total = 0;
  for (std::int64_t at = n; below ? at > 0 : true;) {
    const std::int64_t count = below ? std::min<std::int64_t>(at, ScalarBlock::kSteps) : ScalarBlock::kSteps;
    const std::int64_t first = below ? at - count : at;
    poisson_run(mean, first, {mantissa, static_cast<std::size_t>(count)}, {exponent, static_cast<std::size_t>(count)});
    double part = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      part += std::ldexp(mantissa[i], static_cast<int>(std::max<std::int64_t>(exponent[i], -4000)));
    }
    total += part;
    at = below ? first : first + count;
    if (part <= 1e-20 * total || total == 0) break;
  }
  return below ? 1 - total : total;
}

double add_log2(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  return std::isinf(low) ? high : high + std::log2(1 + std::exp2(low - high));
}

class Run {
 public:
  Run(const NumericChain& chain, std::span<const LawPoint> points, double rtol, std::int64_t max_terms, bool gradient)
      : chain_(chain), points_(points), rtol_(rtol), max_terms_(max_terms), matrix_(chain, gradient) {
    for (const double p : matrix_.exit) log2_exit_ = std::max(log2_exit_, p > 0 ? std::log2(p) : -kInfinity);
  }

  void all(LawValues& values) {
    std::vector<std::size_t> open(points_.size());
    std::iota(open.begin(), open.end(), std::size_t{0});
    open = pass<double>(open, /*skip=*/true, values);
    if (!open.empty()) open = pass<Wide>(open, /*skip=*/false, values);
    SOJOURN_ASSERT(open.empty());
  }

 private:
  /// One run over the steps for some points. @return the points whose error bound is too wide for this arithmetic.
  template <class Real>
  std::vector<std::size_t> pass(const std::vector<std::size_t>& open, bool skip, LawValues& values) {
    std::vector<PointState> states(open.size());
    for (std::size_t i = 0; i < open.size(); ++i) start(open[i], skip, states[i]);
    Stepper<Real> stepper(matrix_);
    ScalarBlock block(matrix_.num_rates);
    std::size_t num_open = states.size();
    for (std::int64_t first = 0; num_open > 0; first += ScalarBlock::kSteps) {
      const double terms = static_cast<double>(first) * terms_per_step(chain_);
      SOJOURN_EXPECTS(terms <= static_cast<double>(max_terms_), NumericalError,
                      "uniformization: {} steps of {:g} multiply-adds and no end yet, more than the {} allowed; raise "
                      "max_terms (--max-terms of evaluate) or take another --method",
                      first, terms_per_step(chain_), max_terms_);
      block.fill(stepper, ScalarBlock::kSteps);
      for (PointState& state : states) {
        if (state.done || first + ScalarBlock::kSteps <= state.first) continue;
        add_block(first, stepper.log2_lost(), block, state);
        finish(first + ScalarBlock::kSteps, stepper, block, state);
        if (state.done) --num_open;
      }
    }
    std::vector<std::size_t> again;
    for (PointState& state : states) {
      if (!write(state, std::is_same_v<Real, double>, values)) again.push_back(state.point);
    }
    return again;
  }

  void start(std::size_t point, bool skip, PointState& state) const {
    state.point = point;
    state.mean = points_[point].value * matrix_.rate;
    for (ScaledSum& sum : state.sum) sum.gradient.assign(matrix_.num_rates, 0);
    if (!skip || state.mean < kSkipMean) return;
    // P(alive at t) >= P(alive at step n) (1 - p)^mean with p the largest exit probability, by Jensen; weights far
    // below that cannot show. The bound of what is left out is compared with each result in the end.
    const double p = std::exp2(log2_exit_);
    if (!(p < 1)) return;
    const double threshold = state.mean * std::log1p(-p) * 1.4426950408889634 - kSkipBits;
    std::int64_t low = 0, high = static_cast<std::int64_t>(state.mean);
    if (log_poisson(0, state.mean) * 1.4426950408889634 > threshold) return;
    while (high - low > ScalarBlock::kSteps) {
      const std::int64_t middle = low + (high - low) / 2;
      (log_poisson(middle, state.mean) * 1.4426950408889634 > threshold ? high : low) = middle;
    }
    state.first = low / ScalarBlock::kSteps * ScalarBlock::kSteps;
    if (state.first == 0) return;
    state.log2_skipped =
        log_poisson(state.first, state.mean) * 1.4426950408889634 + std::log2(static_cast<double>(state.first));
  }

  void add_block(std::int64_t first, double log2_lost, ScalarBlock& block, PointState& state) const {
    if (state.mean == 0) {  // all weight on step 0
      mantissa_[0] = 1;
      exponent_[0] = 0;
      std::fill(mantissa_.begin() + 1, mantissa_.end(), 0.0);
      std::fill(exponent_.begin() + 1, exponent_.end(), -100'000);
    } else {
      poisson_run(state.mean, first, mantissa_, exponent_);
    }
    const LawPoint& asked = points_[state.point];
    if (asked.density) block.accumulate(ScalarBlock::kAbsorption, mantissa_, exponent_, state.sum[0]);
    if (asked.survival || asked.cdf) {
      block.accumulate(ScalarBlock::kSurvival, mantissa_, exponent_, state.sum[1]);
      block.accumulate(ScalarBlock::kAbsorbed, mantissa_, exponent_, state.sum[2]);
    }
    if (log2_lost > -kInfinity) {
      double top = -kInfinity;
      for (std::size_t i = 0; i < mantissa_.size(); ++i) {
        if (mantissa_[i] > 0) top = std::max(top, std::log2(mantissa_[i]) + static_cast<double>(exponent_[i]));
      }
      state.log2_lost = add_log2(state.log2_lost, std::min(0.0, top + 6) + log2_lost);
    }
  }

  /// Whether what the steps from `next` on can add is below 2^-kCutBits of each sum; closes the sums if so.
  template <class Real>
  void finish(std::int64_t next, const Stepper<Real>& stepper, const ScalarBlock& block, PointState& state) const {
    const LawPoint& asked = points_[state.point];
    const double tail = state.mean == 0 ? -kInfinity : log2_poisson_tail(next - 1, state.mean);
    const double alive = stepper.is_zero() ? -kInfinity : block.log2_survival();
    const double rest = tail + alive;
    // No path from the start to an exit is longer than the number of states, so a density of 0 stays 0.
    const bool never = state.sum[0].mantissa == 0 && next > chain_.num_states + 1;
    if (asked.density && !never && rest + log2_exit_ > state.sum[0].log2() - kCutBits) return;
    bool close_absorbed = false;
    if (asked.survival || asked.cdf) {
      const ScaledSum& survival = state.sum[1];
      const bool survival_done = rest <= survival.log2() - kCutBits || rest == -kInfinity ||
                                 (!asked.survival && add_log2(rest, survival.log2()) < -70 - kCutBits / 4);
      if (!survival_done) return;
      const double absorbed = block.absorbed().log2();
      if (tail + add_log2(absorbed, alive) > state.sum[2].log2() - kCutBits && tail > -kInfinity) {
        // All that can be absorbed is: the later steps repeat one number.
        const bool settled = alive <= std::max(absorbed, std::log2(chain_.atom)) - kCutBits;
        if (!settled) return;
        close_absorbed = true;
      }
    }
    if (!gradient_done(tail, block, state)) return;
    if (close_absorbed) {
      const double weight = upper_weight(next, state.mean);
      const ScaledSum& absorbed = block.absorbed();
      std::vector<double> gradient(absorbed.gradient);
      for (double& g : gradient) g *= weight;
      state.sum[2].add(absorbed.mantissa * weight, absorbed.exponent, gradient);
    }
    if (stepper.log2_lost() > -kInfinity && tail > -kInfinity) {
      state.log2_lost = add_log2(state.log2_lost, tail + stepper.log2_lost());
    }
    state.steps = next;
    state.done = true;
  }

  /// Whether the rest of each derivative is below 2^-kGradientBits of it, or the Poisson tail is hopelessly small
  /// against the values (a derivative may be 0 at its sign change).
  bool gradient_done(double tail, const ScalarBlock& block, const PointState& state) const {
    if (matrix_.num_rates == 0 || tail == -kInfinity) return true;
    const LawPoint& asked = points_[state.point];
    for (int kind = 0; kind < 2; ++kind) {
      if (kind == 0 ? !asked.density : !asked.survival) continue;
      const ScaledSum& sum = state.sum[kind];
      if (tail <= sum.log2() - kFarBits) continue;
      for (std::int32_t k = 0; k < matrix_.num_rates; ++k) {
        const double rest = tail + block.log2_gradient()[k];
        if (rest == -kInfinity) continue;
        const double size = std::log2(std::fabs(sum.gradient[k])) + static_cast<double>(sum.exponent);
        if (rest > size - kGradientBits) return false;
      }
    }
    return true;
  }

  /// Writes the point's values and error bound. False where dropped or skipped mass might show.
  bool write(PointState& state, bool may_refuse, LawValues& values) {
    const LawPoint& asked = points_[state.point];
    const std::size_t num_rates = static_cast<std::size_t>(chain_.num_rates);
    const bool gradient = matrix_.num_rates > 0;
    const auto steps = static_cast<double>(state.steps);
    const double lost_bits = add_log2(state.log2_lost, state.log2_skipped);
    double missing = 0, largest_log = 0;
    const auto consider = [&](const ScaledSum& sum, double log2_factor) {
      if (lost_bits == -kInfinity) return;
      // A derivative is of the order of steps times the value, so it asks for as much more.
      const double log2_scale = log2_factor + (gradient ? std::log2(steps + 1) : 0);
      missing = std::max(missing, std::exp2(std::min(1000.0, lost_bits + log2_scale - sum.log2())));
    };
    const auto gradient_of = [&](std::vector<double>& all) {
      return std::span<double>(all).subspan(gradient ? state.point * num_rates : 0, gradient ? num_rates : 0);
    };
    if (asked.density) {
      ScaledSum& sum = state.sum[0];
      consider(sum, std::min(0.0, log2_exit_));
      values.log_density[state.point] = log_scaled(sum.mantissa, sum.exponent) + std::log(matrix_.rate);
      if (sum.mantissa == 0) values.log_density[state.point] = -kInfinity;
      largest_log = std::max(largest_log, std::fabs(values.log_density[state.point]));
      const std::span<double> out = gradient_of(values.density_gradient);
      for (std::size_t k = 0; k < out.size(); ++k) out[k] = sum.mantissa > 0 ? sum.gradient[k] / sum.mantissa : 0;
    }
    if (asked.survival || asked.cdf) {
      const ScaledSum& survival = state.sum[1];
      ScaledSum& absorbed = state.sum[2];
      if (chain_.atom > 0) {
        const std::vector<double> none(absorbed.gradient.size(), 0.0);
        absorbed.add(chain_.atom, 0, gradient ? std::span<const double>(chain_.atom_gradient) : none);
      }
      if (asked.survival) consider(survival, 0);
      if (asked.cdf) consider(absorbed, 0);
      // Of two numbers that sum to 1 the larger's logarithm is best taken from the smaller.
      const auto put = [&](const ScaledSum& one, const ScaledSum& other, double& log_value, std::span<double> out) {
        const bool from_other = other.log2() < -1 && one.mantissa > 0;
        const double small =
            from_other ? std::ldexp(other.mantissa, static_cast<int>(std::max<std::int64_t>(other.exponent, -2000)))
                       : 0;
        log_value = from_other ? std::log1p(-small) : log_scaled(one.mantissa, one.exponent);
        for (std::size_t k = 0; k < out.size(); ++k) {
          if (from_other) {
            out[k] = other.mantissa > 0 ? -other.gradient[k] / other.mantissa * (small / (1 - small)) : 0;
          } else {
            out[k] = one.mantissa > 0 ? one.gradient[k] / one.mantissa : 0;
          }
        }
        largest_log = std::max(largest_log, std::fabs(log_value));
      };
      if (asked.survival)
        put(survival, absorbed, values.log_survival[state.point], gradient_of(values.survival_gradient));
      if (asked.cdf) put(absorbed, survival, values.log_cdf[state.point], gradient_of(values.cdf_gradient));
    }
    if (may_refuse && missing > std::max(1e-15, 1e-4 * rtol_)) return false;
    // Each step rounds a sum of in-degree terms, whose errors partly cancel, and the new entry.
    const double per_step = 2 + std::sqrt(static_cast<double>(matrix_.largest_in_degree));
    if (std::isinf(largest_log)) largest_log = 0;
    values.error_bound[state.point] =
        missing + std::exp2(-kCutBits + 2) + kUnit * (per_step * steps + 4 * largest_log + 32);
    return true;
  }

  const NumericChain& chain_;
  std::span<const LawPoint> points_;
  double rtol_;
  std::int64_t max_terms_;
  StepMatrix matrix_;
  double log2_exit_ = -kInfinity;  ///< log2 of the largest exit probability
  mutable std::vector<double> mantissa_ = std::vector<double>(ScalarBlock::kSteps);
  mutable std::vector<std::int64_t> exponent_ = std::vector<std::int64_t>(ScalarBlock::kSteps);
};

}  // namespace

template <>
void uniformization_on<kThisSet>(const NumericChain& chain, std::span<const LawPoint> points, double rtol,
                                 std::int64_t max_terms, bool gradient, LawValues& values) {
  SOJOURN_EXPECTS(chain.time_kind == TimeKind::kContinuous, UsageError,
                  "uniformization: the chain is in discrete time; take --method stepping");
  for (const LawPoint& point : points) {
    SOJOURN_EXPECTS(std::isfinite(point.value) && point.value >= 0, UsageError,
                    "point {}: a time must be finite and >= 0", point.value);
  }
  const double steps = predicted_steps(chain, points);
  const double terms = steps * terms_per_step(chain);
  SOJOURN_EXPECTS(terms <= static_cast<double>(max_terms), NumericalError,
                  "uniformization: about {:.3g} steps of {:g} multiply-adds each are {:.3g}, more than the {} allowed; "
                  "raise max_terms (--max-terms of evaluate) or take another --method",
                  steps, terms_per_step(chain), terms, max_terms);
  values.reset(points.size(), gradient ? chain.num_rates : 0);
  Run(chain, points, rtol, max_terms, gradient).all(values);
}

double uniformization_cost(const NumericChain& chain, std::span<const LawPoint> points, double rtol, bool gradient) {
  (void)rtol;  // the series is cut at 2^-57 whatever the tolerance: a few more steps of many
  const double jets = gradient ? 1 + chain.num_rates : 1;
  return predicted_steps(chain, points) * (terms_per_step(chain) + 2.0 * static_cast<double>(points.size())) * jets;
}

}  // namespace sojourn
