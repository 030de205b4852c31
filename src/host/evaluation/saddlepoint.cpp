#include "evaluation/saddlepoint.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
/// Outside this range of H the next steps of the computation could leave the range of double.
constexpr double kSmallest = 1e-200;
constexpr double kLargest = 1e200;
constexpr double kLargestPoint = 1e60;
/// The saddle only has to be near: any vertex right of the poles gives the same integral.
constexpr double kSaddleTolerance = 0.02;
constexpr int kMaxSteps = 200;
constexpr std::size_t kBlock = 16;
constexpr std::int32_t kMaxNodes = 8192;
constexpr int kMaxRefinements = 8;
/// Ratio of two steps that are compared. Rules whose steps have a common multiple can agree on a wrong value: a part of
/// the transform that turns by nearly whole turns between nodes looks smooth to both. No two powers of the golden ratio
/// have a common multiple.
constexpr double kRefinement = std::numbers::phi;
constexpr double kNegligible = 1e-17;
/// Goal for the rule, as a part of rtol: derivatives converge more slowly than the value that is looked at.
constexpr double kGoal = 0.03;
/// Share of the difference of two rules that may be left in the finer one. Its error is often a higher power of the
/// difference, but not always: of 27,000 random values some kept a twentieth.
constexpr double kLeftShare = 0.3;

double log_of(const ScaledValue& value) {
  return std::log(value.mantissa) + static_cast<double>(value.exponent) * std::numbers::ln2;
}
double ratio(const ScaledValue& a, const ScaledValue& b) {
  const auto by = std::clamp<std::int64_t>(a.exponent - b.exponent, -3000, 3000);
  return std::ldexp(a.mantissa / b.mantissa, static_cast<int>(by));
}

/// What a running sum multiplies a transform with, as logarithm: 1 / s, in discrete time 1 / (1 - exp(-s)). s > 0.
double log_of_sum(double s, bool discrete) { return -std::log(discrete ? -std::expm1(-s) : s); }

/// Mean and spread of D from those of the running sum's transform.
void add_sum(bool discrete, Saddle& saddle) {
  if (discrete) {
    const double more = 1 / std::expm1(saddle.s), mean = saddle.mean + more;
    const double own = saddle.mean / mean, added = more / mean;
    saddle.spread = saddle.spread * own * own + added * (added + 1 / mean);
    saddle.mean = mean;
  } else {
    const double steps = saddle.mean * saddle.s;  // log (D / s): both parts of the spread in units of 1 / s^2
    saddle.spread = (saddle.spread * steps * steps + 1) / ((steps + 1) * (steps + 1));
    saddle.mean += 1 / saddle.s;
  }
  saddle.log_value += log_of_sum(saddle.s, discrete);
}

void look(const TransformReplay& replay, bool discrete, std::span<const SaddleRequest> requests,
          std::span<const std::size_t> active, std::span<Saddle> saddles, TransformReplay::Workspace& workspace) {
  std::vector<double> s, value, first, second;
  for (const bool survival : {false, true}) {
    std::vector<std::size_t> members;
    for (const std::size_t m : active) {
      if ((requests[m].side == LawSide::kSurvival) == survival) members.push_back(m);
    }
    if (members.empty()) continue;
    s.clear();
    for (const std::size_t m : members) s.push_back(saddles[m].s);
    value.resize(s.size());
    first.resize(s.size());
    second.resize(s.size());
    replay.evaluate_real(survival, s, value, first, second, workspace);
    for (std::size_t i = 0; i < members.size(); ++i) {
      Saddle& saddle = saddles[members[i]];
      // NaN stands for a point left of a pole, but inside an overflow it could mean anything.
      const bool near_overflow = std::isnan(value[i]) && saddle.scaled;
      saddle.log_value = std::log(value[i]);
      saddle.mean = -first[i] / value[i];
      double square = second[i] / value[i] / (saddle.mean * saddle.mean);
      saddle.scaled =
          near_overflow || std::abs(s[i]) > kLargestPoint || std::abs(s[i]) < 1 / kLargestPoint ||
          (!std::isnan(value[i]) && !(value[i] > kSmallest && value[i] < kLargest && std::isfinite(square)));
      if (s[i] == 0 && value[i] > kSmallest && value[i] < kLargest && std::isfinite(square)) saddle.scaled = false;
      if (saddle.scaled) {
        ScaledValue exact, exact_first, exact_second;
        replay.evaluate_real_scaled(survival, s[i], exact, exact_first, exact_second, workspace);
        saddle.log_value = exact.mantissa == 0 ? -kInfinity : log_of(exact);
        saddle.mean = -ratio(exact_first, exact);
        square = -ratio(exact_second, exact_first) / saddle.mean;
      }
      saddle.spread = square - 1;
      if (requests[members[i]].side == LawSide::kCdf) add_sum(discrete, saddle);
      saddle.valid = saddle.mean > 0 && saddle.spread > 0 && std::isfinite(saddle.mean) && std::isfinite(saddle.spread);
    }
  }
}

}  // namespace

void find_saddles(const TransformReplay& replay, bool discrete, std::span<const SaddleRequest> requests,
                  double tolerance, std::span<Saddle> saddles, TransformReplay::Workspace& workspace) {
  // s* solves mean(s) = t with mean falling from infinity at the rightmost pole to zero. 1 / mean is nearly linear at
  // both ends, so Newton's method for 1 / mean = 1 / t needs few steps; the bracket guards it.
  struct Bracket {
    double low = -kInfinity, high = kInfinity;
    Saddle best;
  };
  std::vector<Bracket> brackets(requests.size());
  std::vector<std::size_t> active, still_active;
  for (std::size_t m = 0; m < requests.size(); ++m) {
    if (requests[m].side == LawSide::kCdf) {
      brackets[m].low = 0;
      saddles[m].s = 1 / requests[m].t;
    }
    active.push_back(m);
  }
  for (int step = 0; step < kMaxSteps && !active.empty(); ++step) {
    look(replay, discrete, requests, active, saddles, workspace);
    still_active.clear();
    for (const std::size_t m : active) {
      Saddle& saddle = saddles[m];
      Bracket& bracket = brackets[m];
      const double t = requests[m].t;
      if (saddle.log_value == -kInfinity) continue;  // no mass at all
      if (!saddle.valid) {
        if (!(bracket.high < kInfinity)) continue;  // not even right of the poles: left without an answer
        bracket.low = std::max(bracket.low, saddle.s);
        const double next = 0.5 * (bracket.low + bracket.best.s);
        if (next == bracket.low || next == bracket.best.s) {
          saddle = bracket.best;
          continue;
        }
        saddle.s = next;
        still_active.push_back(m);
        continue;
      }
      bracket.best = saddle;
      if (std::abs(saddle.mean / t - 1) <= tolerance) continue;
      (saddle.mean > t ? bracket.low : bracket.high) = saddle.s;
      const double s = saddle.s;
      double next = s + (1 / t - 1 / saddle.mean) / saddle.spread;
      if (!(next > bracket.low)) next = bracket.low > -kInfinity ? 0.5 * (bracket.low + s) : next;
      if (!(next < bracket.high)) next = bracket.high < kInfinity ? 0.5 * (bracket.high + s) : next;
      if (next == s || !std::isfinite(next)) continue;
      // Kept for `look`: near an overflow a NaN has to be looked at twice.
      saddle.scaled = saddle.scaled || std::abs(saddle.log_value) > 200;
      saddle.s = next;
      still_active.push_back(m);
    }
    active.swap(still_active);
  }
}

SaddleAnswer SaddlepointContour::integrate(const SaddleRequest& request, const Saddle& saddle, double rtol,
                                           std::span<double> gradient, TransformReplay::Workspace& workspace) const {
  using Complex = std::complex<double>;
  SaddleAnswer answer;
  if (saddle.log_value == -kInfinity) {
    answer.log_value = -kInfinity;
    return answer;
  }
  answer.error = kInfinity;
  if (!saddle.valid) return answer;
  const double t = request.t;
  const bool survival = request.side == LawSide::kSurvival, cdf = request.side == LawSide::kCdf;
  const std::size_t num_rates = gradient.size();
  // Where the poles crowd towards the rightmost one (spread above 1), H hardly changes at its saddle, which then lies
  // far nearer to the poles than exp(s t) asks for. A vertex 1 / t further right loses no more than a factor e.
  const bool crowded = saddle.spread > 1;
  const double vertex = crowded ? saddle.s + 1 / t : saddle.s;
  const double distance = crowded ? 1 / t : 1 / (saddle.spread * saddle.mean);
  // The rule of step h errs by exp(-2 pi^2 / (spread mean^2 h^2)) where the integrand is a bell and by exp(-4 pi c / h)
  // where it ends at the poles; a first rule that meets the goal passes the comparison with the next one.
  const double exponent = std::max(8.0, -std::log(kGoal / kLeftShare * rtol)) + 1;
  double step =
      std::min(crowded ? kInfinity : std::numbers::pi * std::sqrt(2 / (saddle.spread * exponent)) / saddle.mean,
               4 * std::numbers::pi * distance / exponent);

  // Everything is relative to exp(s* t) H(s*).
  const double unit_log =
      cdf ? saddle.log_value - log_of_sum(saddle.s, discrete_) : saddle.log_value;  // log D(s*), log G(s*)
  std::vector<Complex> s(kBlock), value(kBlock), by_rate(kBlock * num_rates);
  std::vector<double> slope(num_rates, 0.0);
  double sum = 0, size = 0;
  const auto add = [&](std::size_t count, double first_y) {
    const double inverse_unit = saddle.scaled ? 0 : std::exp(-unit_log);
    for (std::size_t k = 0; k < count; ++k) {
      const double y = first_y + static_cast<double>(k) * step;
      s[k] = {vertex - y * (y / (4 * distance)), y};
    }
    if (saddle.scaled) {
      for (std::size_t k = 0; k < count; ++k) {
        ScaledComplexValue exact;
        const std::span<Complex> row = std::span(by_rate).subspan(k * num_rates, num_rates);
        replay_->evaluate_scaled(s[k], survival, exact, row, workspace);
        const double power = static_cast<double>(exact.exponent) * std::numbers::ln2 - unit_log;
        const double factor = std::exp(power);
        value[k] = exact.mantissa * factor;
        for (Complex& g : row) g *= factor;
      }
    } else {
      const auto nodes = std::span<const Complex>(s).first(count);
      const auto values = std::span(value).first(count);
      const auto slopes = std::span(by_rate).first(count * num_rates);
      if (survival) {
        replay_->evaluate(nodes, {}, values, {}, slopes, workspace);
      } else {
        replay_->evaluate(nodes, values, {}, slopes, {}, workspace);
      }
    }
    double last = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const double y = first_y + static_cast<double>(k) * step;
      Complex factor = std::exp((s[k] - saddle.s) * t) * Complex(1, y / (2 * distance));
      if (y == 0) factor *= 0.5;
      if (!saddle.scaled) factor *= inverse_unit;
      if (cdf) factor *= discrete_ ? std::expm1(-saddle.s) / exponential_minus_one(-s[k]) : saddle.s / s[k];
      const Complex term = factor * value[k];
      sum += term.real();
      last = std::abs(term);
      size += last;
      for (std::size_t p = 0; p < num_rates; ++p) slope[p] += (factor * by_rate[k * num_rates + p]).real();
    }
    answer.num_nodes += static_cast<std::int32_t>(count);
    return last;
  };

  double rule = 0;
  for (int level = 0; level <= kMaxRefinements; ++level) {
    sum = size = 0;
    std::fill(slope.begin(), slope.end(), 0.0);
    double last = kInfinity;
    for (std::size_t num_nodes = 0; !(last <= kNegligible * size); num_nodes += kBlock) {
      if (answer.num_nodes >= kMaxNodes || !std::isfinite(size)) return answer;
      std::size_t count = kBlock;
      if (discrete_) {
        const double left = std::numbers::pi / step - static_cast<double>(num_nodes);
        if (!(left > 0)) return answer;
        count = std::min(count, static_cast<std::size_t>(std::ceil(left)));
      }
      last = add(count, static_cast<double>(num_nodes) * step);
    }
    const double before = rule;
    rule = sum * step;
    if (level > 0) {
      const double difference = std::abs(before / rule - 1);
      const double discretisation = difference < 0.1 ? kLeftShare * difference : kInfinity;
      const double rounding = kEpsilon * ((16 + replay_->num_roundings()) * size / std::abs(sum) +
                                          4 * std::abs(saddle.s * t) + std::abs(saddle.log_value));
      answer.error = sum > 0 ? discretisation + rounding + 2 * last / sum : kInfinity;
      if (discretisation <= kGoal * rtol) break;
    }
    if (level < kMaxRefinements) step /= kRefinement;
  }
  answer.log_value = saddle.s * t + saddle.log_value + std::log(rule / std::numbers::pi);
  for (std::size_t p = 0; p < num_rates; ++p) gradient[p] = slope[p] / sum;
  return answer;
}

void SaddlepointContour::invert(std::span<const SaddleRequest> requests, double rtol, std::span<SaddleAnswer> answers,
                                std::span<double> gradient, TransformReplay::Workspace& workspace) const {
  std::vector<Saddle> saddles(requests.size());
  find_saddles(*replay_, discrete_, requests, kSaddleTolerance, saddles, workspace);
  const std::size_t num_rates = gradient.empty() ? 0 : static_cast<std::size_t>(replay_->num_rates());
  for (std::size_t m = 0; m < requests.size(); ++m) {
    const auto row = gradient.subspan(m * num_rates, num_rates);
    std::fill(row.begin(), row.end(), 0.0);
    answers[m] = integrate(requests[m], saddles[m], rtol, row, workspace);
    const bool finite = std::all_of(row.begin(), row.end(), [](double slope) { return std::isfinite(slope); });
    if (!finite && !saddles[m].scaled) {
      // States far from the start can overflow without touching the value.
      saddles[m].scaled = true;
      std::fill(row.begin(), row.end(), 0.0);
      answers[m] = integrate(requests[m], saddles[m], rtol, row, workspace);
    }
  }
}

}  // namespace sojourn
