#include "evaluation/multi_law.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "elimination/prc_arrays.hpp"
#include "evaluation/multi_number.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

constexpr double kLargestCount = 2000;
constexpr int kDigitsForTheTop = 100;

/// How finely a law is inverted with numbers of D digits. Inversions that differ in it have different errors of both
/// kinds, so where they agree they tell how many digits are true; the finer one keeps a fifth of the digits for
/// roundings.
struct Inversion {
  /// Nodes of the Talbot contour per digit. A node gives 0.6 digits, and roundings take up 0.17 digits a node.
  double nodes_per_digit;
  /// What aliases may leave in a discrete law, as a part of the digits, and nodes a count; roundings take up
  /// alias_part / nodes_per_count.
  double alias_part;
  int nodes_per_count;
  /// The transform's argument for a value at zero, as a power of ten and part of the digits.
  double zero_part;
};
constexpr Inversion kCoarse{0.85, 0.5, 2, 0.45}, kFine{1.05, 0.6, 3, 0.5};
/// Digits that the coarse inversion can give, as a part of the working digits.
constexpr double kGivenPart = 0.5;

/// One law at one parameter vector with numbers of D digits.
template <unsigned D>
class MultiReplay {
 public:
  using Real = Multi<D>;
  using Complex = MultiComplex<D>;
  using Number = typename Real::Value;

  MultiReplay(const StateGraph& graph, const Prc& prc, std::span<const double> reward)
      : discrete_(graph.time_kind() == TimeKind::kDiscrete),
        prc_(prc.arrays().view()),
        num_entries_(prc.arrays().entry_column.size()),
        reward_(prc.arrays().by_row(reward)),
        rate_(1 + prc_.num_rates + prc_.num_forms) {
    passes_ = std::find(reward_.begin(), reward_.end(), 0.0) != reward_.end();
    split_groups();
    for (const double alpha : prc.arrays().alpha) all_mass_ += alpha;
    for (const InitialMass& start : graph.initial()) {
      if (graph.is_absorbing(start.state)) defect_ += start.probability;
    }
    defect_ += graph.defect();
    all_mass_ += defect_;
  }
  MultiReplay(const MultiReplay&) = delete;
  MultiReplay& operator=(const MultiReplay&) = delete;

  void set_phi(const std::vector<Number>& phi) {
    std::vector<Real> rates;
    for (const Number& rate : phi) rates.emplace_back(rate);
    extend_rates(prc_, rates, rate_);
  }
  void set_inversion(const Inversion& inversion) { inversion_ = inversion; }

  std::vector<Number> moments(int order) const {
    Factors<Real> factors(*this, [](std::int32_t) { return Real(0.0); });
    std::vector<std::vector<Real>> m(order + 1), q(order + 1);
    std::vector<Number> result;
    for (int k = 1; k <= order; ++k) {
      q[k].resize(prc_.num_rows);
      for (std::int32_t v = 0; v < prc_.num_rows; ++v) {
        if (!discrete_) {
          q[k][v] = k == 1 ? Real(reward_[v]) : Real(Number(k * reward_[v] * m[k - 1][v].v));
          continue;
        }
        Number power = 1, binomial = 1, sum = 0;  // sum_l C(k, l) r^l P m_{k - l}, P m = m - q
        for (int l = 1; l <= k; ++l) {
          power *= reward_[v];
          binomial = binomial * (k - l + 1) / l;
          sum += binomial * power * (l == k ? Number(1) : Number(m[k - l][v].v - q[k - l][v].v));
        }
        q[k][v] = Real(sum);
      }
      m[k] = factors.solve([&](std::int32_t v) { return q[k][v]; });
      result.push_back(dot_start(m[k]).v);
    }
    return result;
  }

  /// E[exp(-s Y)] on the real axis.
  Number laplace(const Number& s) const {
    const auto kill = [&](std::int32_t v) {
      if (reward_[v] == 0) return Real(0.0);
      const Number shift = s * reward_[v];
      return Real(discrete_ ? Number(exp(shift) - 1) : shift);
    };
    return defect_ + dot_start(Factors<Real>(*this, kill).solve([&](std::int32_t v) { return absorbing(v); })).v;
  }

  Number law(LawKind kind, double point) const {
    const bool density = kind == LawKind::kPdf || kind == LawKind::kLogPdf;
    const bool survival = kind == LawKind::kSurvival || kind == LawKind::kLogSurvival;
    Number value = discrete_   ? count_law(density, survival, point)
                   : point > 0 ? time_law(density, survival, point)
                               : law_at_zero(density, survival);
    const bool logarithm = kind == LawKind::kLogPdf || kind == LawKind::kLogCdf || kind == LawKind::kLogSurvival;
    return logarithm ? Number(log(value)) : value;
  }

 private:
  /// Factors of A + diag(kill) and solves with them.
  template <class Scalar>
  struct Factors {
    template <class Kill>
    Factors(const MultiReplay& owner, Kill&& kill)
        : prc(owner.prc_), owner(owner), entry(owner.num_entries_), exit(prc.num_rows), inverse(prc.num_rows) {
      for (std::int32_t c = 0; c < prc.num_components; ++c) {
        const PrcComponent& component = prc.components[c];
        factor_component<Scalar>(prc, component, owner.rate_, kill, entry.data() + component.entry_begin,
                                 exit.data() + component.row_begin, inverse.data() + component.row_begin,
                                 IgnorePivots{});
      }
    }
    template <class Rhs>
    std::vector<Scalar> solve(Rhs&& rhs) const {
      std::vector<Scalar> x(prc.num_rows);
      for (std::int32_t c = 0; c < prc.num_components; ++c) {
        const PrcComponent& component = prc.components[c];
        solve_component<OwnSlots, Scalar>(prc, component, owner.rate_, entry.data() + component.entry_begin,
                                          inverse.data() + component.row_begin, rhs, x);
      }
      return x;
    }
    const PrcView& prc;
    const MultiReplay& owner;
    std::vector<Scalar> entry, exit, inverse;
  };

  /// A group's total is a sum that was rounded to double. Beside terms of many digits it would make mass or lose it, a
  /// part in 1e17, and leave that as a floor under every tail: so each term gets a group of its own.
  void split_groups() {
    rows_.assign(prc_.rows, prc_.rows + prc_.num_rows);
    for (PrcRow& row : rows_) {
      const std::int64_t begin = row.group_begin, middle = row.group_middle, end = row.group_end;
      row.group_begin = std::ssize(groups_);
      for (std::int64_t g = begin; g < middle; ++g) {
        const PrcGroup& group = prc_.groups[g];
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t)
          groups_.push_back({group.rate, 0, t, t + 1, 0, prc_.terms[t].coefficient, 1 / prc_.terms[t].coefficient});
        if (group.absorbing != 0)
          groups_.push_back(
              {group.rate, 0, group.term_end, group.term_end, group.absorbing, group.absorbing, 1 / group.absorbing});
      }
      row.group_middle = std::ssize(groups_);
      groups_.insert(groups_.end(), prc_.groups + middle, prc_.groups + end);
      row.group_end = std::ssize(groups_);
    }
    prc_.rows = rows_.data();
    prc_.groups = groups_.data();
  }

  [[nodiscard]] Real absorbing(std::int32_t v) const { return absorbing_weight<Real>(prc_, prc_.rows[v], rate_); }
  template <class Scalar>
  [[nodiscard]] Scalar dot_start(const std::vector<Scalar>& x) const {
    Scalar sum(0.0);
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) add_product(sum, prc_.alpha[v], x[v]);
    return sum;
  }
  template <class Kill>
  [[nodiscard]] Complex transform(Kill&& kill) const {
    const Factors<Complex> factors(*this, kill);
    Complex value = dot_start(factors.solve([&](std::int32_t v) { return Complex(absorbing(v).v, Number(0)); }));
    value.re += defect_;
    return value;
  }

  /// P(Y = 0): the transform where every earning state is stopped at once.
  [[nodiscard]] Number atom() const { return passes_ ? laplace_at(2 * static_cast<int>(D)) : Number(defect_); }
  /// The transform at 10^power, continuous time.
  [[nodiscard]] Number laplace_at(int power) const { return laplace(pow(Number(10), power)); }

  [[nodiscard]] Number law_at_zero(bool density, bool survival) const {
    if (!density) return survival ? Number(all_mass_ - atom()) : atom();
    const int power = static_cast<int>(inversion_.zero_part * D);  // f(0+) = lim s D(s), to about 10^-power
    return pow(Number(10), power) * (laplace_at(power) - atom());
  }

  /// Fixed Talbot contour s = r theta (cot theta + i), r = 2 N / (5 t). Angles go on by rotations, as functions of a
  /// thousand digits take milliseconds; r t theta, by which exp(s t) turns, is a fifth of a turn a node.
  [[nodiscard]] Number time_law(bool density, bool survival, double t) const {
    const int num_nodes = static_cast<int>(inversion_.nodes_per_digit * D);
    const Number pi = boost::math::constants::pi<Number>(), step = pi / num_nodes;
    const Number r = Number(2 * num_nodes) / (5 * Number(t)), rest = density ? atom() : Number(0);
    const Complex rotation(cos(step), sin(step)), fifth(cos(2 * pi / 5), sin(2 * pi / 5));
    Complex at(1.0), turn(1.0);
    Number sum = 0;
    for (int k = 0; k < num_nodes; ++k) {
      Complex s(r, Number(0)), weight(Number(0.5), Number(0));
      if (k > 0) {
        at = at * rotation;
        turn = k % 5 == 0 ? Complex(1.0) : turn * fifth;
        const Number theta = k * step, cotangent = at.re / at.im;
        s = {r * theta * cotangent, r * theta};
        weight = {Number(1), theta + (theta * cotangent - 1) * cotangent};
      }
      Complex value = transform([&](std::int32_t v) { return Number(reward_[v]) * s; });
      value.re -= rest;
      if (survival) value = Complex(all_mass_, Number(0)) - value;
      if (!density) value = value * reciprocal(s);
      sum += exp(s.re * t) * (weight * value * turn).re;
    }
    return sum * r / num_nodes;
  }

  /// Coefficient of z^n by the trapezoid rule on |z| = radius, radius^N = 10^-(alias_part D).
  [[nodiscard]] Number count_law(bool density, bool survival, double point) const {
    const int n = static_cast<int>(point), num_nodes = 2 * ((inversion_.nodes_per_count * n + 33) / 2);
    const Number radius = exp(-log(Number(10)) * (inversion_.alias_part * D) / num_nodes);
    const Number step = 2 * boost::math::constants::pi<Number>() / num_nodes;
    const Complex rotation(cos(step), sin(step)), back(cos(n * step), -sin(n * step));
    Complex at(1.0), turn(1.0);
    Number sum = 0;
    for (int k = 0; k <= num_nodes / 2; ++k) {  // conjugate nodes in pairs
      if (k > 0) {
        at = at * rotation;
        turn = turn * back;
      }
      const Complex z(radius * at.re, radius * at.im), inverse = reciprocal(z);
      Complex value = transform([&](std::int32_t v) {
        Complex shift(1.0);
        for (int i = 0; i < static_cast<int>(reward_[v]); ++i) shift = shift * inverse;
        return shift - Complex(1.0);
      });
      if (survival) value = Complex(all_mass_, Number(0)) - value;
      if (!density) value = value * reciprocal(Complex(1.0) - z);
      const Number part = (turn * value).re;
      sum += k == 0 || k == num_nodes / 2 ? part : Number(2 * part);
    }
    return sum / (num_nodes * pow(radius, n));
  }

  Inversion inversion_ = kCoarse;
  bool discrete_, passes_ = false;
  double defect_ = 0;
  Number all_mass_ = 0;  ///< 1, but for what rounding left of the start's probabilities
  PrcView prc_;
  std::vector<PrcRow> rows_;
  std::vector<PrcGroup> groups_;
  std::size_t num_entries_;
  std::vector<double> reward_;
  std::vector<Real> rate_;
};

struct Problem {
  const StateGraph& graph;
  const Prc& prc;
  std::span<const double> phi, reward;
  int digits;
  bool gradient;
  bool inverts;  ///< the values come from an inversion
};

/// Gradient [N, num_rates] of what `compute(replay)` gives, by a step of a third of the digits.
template <unsigned D, class Compute>
void central_differences(MultiReplay<D>& replay, std::vector<typename Multi<D>::Value>& phi, Compute&& compute,
                         std::span<double> gradient) {
  using Here = typename Multi<D>::Value;
  const std::size_t num_rates = phi.size();
  for (std::size_t p = 0; p < num_rates; ++p) {
    const Here scale = phi[p] == 0 ? Here(1) : Here(abs(phi[p]));
    const Here step = scale * pow(Here(10), -static_cast<int>(D) / 3), at = phi[p];
    phi[p] = at + step;
    replay.set_phi(phi);
    const std::vector<Here> above = compute(replay);
    phi[p] = at - step;
    replay.set_phi(phi);
    const std::vector<Here> below = compute(replay);
    phi[p] = at;
    for (std::size_t i = 0; i < above.size(); ++i)
      gradient[i * num_rates + p] = static_cast<double>(Here((above[i] - below[i]) / (2 * step)));
  }
}

template <unsigned D, class Compute>
void differentiate(const Problem& problem, MultiReplay<D>& replay, std::vector<typename Multi<D>::Value>& phi,
                   Compute&& compute, MultiAnswer& answer) {
  if (!problem.gradient) return;
  answer.gradient.resize(answer.value.size() * phi.size());
  central_differences(replay, phi, compute, answer.gradient);
}

/// Values that two computations agree on to `digits`. @return whether they do on all of them.
template <class Here>
bool take_agreed(const std::vector<Here>& one, const std::vector<Here>& other, int digits, MultiAnswer& answer) {
  answer.value.assign(other.size(), std::numeric_limits<double>::quiet_NaN());
  answer.text.assign(other.size(), "nan");
  answer.agreement.assign(other.size(), std::numeric_limits<double>::infinity());
  if (one.size() != other.size()) return false;
  const Here goal = pow(Here(10), -digits);
  bool settled = true;
  for (std::size_t i = 0; i < other.size(); ++i) {
    const Here gap = abs(one[i] - other[i]);
    answer.agreement[i] = gap == 0 ? 0 : static_cast<double>(Here(gap / abs(other[i])));
    if (!(gap <= goal * abs(other[i]))) {
      settled = false;
      continue;
    }
    answer.value[i] = static_cast<double>(other[i]);
    answer.text[i] = other[i].str(digits, std::ios_base::scientific);
  }
  return settled;
}

/// Climbs the ladder. `compute(replay)` gives the N values at the replay's phi. They are settled where two computations
/// agree: with fewer working digits and with these, or, of laws, by two inversions.
template <unsigned D, class Number, class Compute>
void climb(const Problem& problem, const std::vector<Number>& before, Compute&& compute, MultiAnswer& answer) {
  using Here = typename Multi<D>::Value;
  MultiReplay<D> replay(problem.graph, problem.prc, problem.reward);
  std::vector<Here> phi(problem.phi.begin(), problem.phi.end());
  replay.set_phi(phi);
  std::vector<Here> values;
  if (static_cast<int>(D) > problem.digits) {  // else it could not tell
    values = compute(replay);
    bool settled = take_agreed(std::vector<Here>(before.begin(), before.end()), values, problem.digits, answer);
    if (!settled && problem.inverts && kGivenPart * D >= problem.digits) {
      replay.set_inversion(kFine);
      std::vector<Here> finer = compute(replay);
      settled = take_agreed(values, finer, problem.digits, answer);
      values = std::move(finer);
    }
    if (settled) return differentiate(problem, replay, phi, compute, answer);
  }
  if constexpr (D < 150) {
    return climb<150>(problem, values, compute, answer);
  } else if constexpr (D < 400) {
    return climb<400>(problem, values, compute, answer);
  } else if constexpr (D < 600) {
    // Exponentials of 1,000 digits take milliseconds each: only for those who ask for many digits.
    if (problem.digits > kDigitsForTheTop) return climb<600>(problem, values, compute, answer);
  } else if constexpr (D < 1000) {
    return climb<1000>(problem, values, compute, answer);
  }
  answer.message = fmt::format(
      "multi: some values do not settle to {} digits at {} working digits; a far tail or a fast oscillation wants more "
      "nodes than that (above {} digits asked for there are 1000)",
      problem.digits, D, kDigitsForTheTop);
  differentiate(problem, replay, phi, compute, answer);
}

template <class Compute>
MultiAnswer settle(const Problem& problem, Compute&& compute) {
  SOJOURN_EXPECTS(problem.digits >= 1 && problem.digits <= kMaxDigits, UsageError,
                  "multi: {} digits; from 1 to {} are possible", problem.digits, kMaxDigits);
  MultiAnswer answer;
  climb<60>(problem, std::vector<double>(), compute, answer);
  return answer;
}

}  // namespace

MultiAnswer multi_moments(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                          std::span<const double> reward, int order, int digits, bool gradient) {
  return settle(Problem{graph, prc, phi, reward, digits, gradient, false},
                [order](const auto& replay) { return replay.moments(order); });
}

void multi_moment_gradient(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                           std::span<const double> reward, int order, std::span<double> gradient) {
  MultiReplay<60> replay(graph, prc, reward);
  std::vector<typename Multi<60>::Value> rates(phi.begin(), phi.end());
  central_differences(
      replay, rates, [order](const auto& at) { return at.moments(order); }, gradient);
}

void multi_laplace_gradient(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                            std::span<const double> reward, double s, std::span<double> gradient) {
  MultiReplay<60> replay(graph, prc, reward);
  std::vector<typename Multi<60>::Value> rates(phi.begin(), phi.end());
  const auto value = [s](const auto& at) { return std::vector{at.laplace(s)}; };
  central_differences(replay, rates, value, gradient);
}

MultiAnswer multi_laplace(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                          std::span<const double> reward, std::span<const double> s, int digits, bool gradient) {
  return settle(Problem{graph, prc, phi, reward, digits, gradient, false}, [s](const auto& replay) {
    std::vector<typename std::remove_cvref_t<decltype(replay)>::Number> values;
    for (const double point : s) values.push_back(replay.laplace(point));
    return values;
  });
}

MultiAnswer multi_law(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                      std::span<const double> reward, LawKind kind, std::span<const double> points, int digits,
                      bool gradient) {
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  for (const double point : points) {
    SOJOURN_EXPECTS(point >= 0 && std::isfinite(point), UsageError, "multi: point {} must be finite and >= 0", point);
    SOJOURN_EXPECTS(!discrete || (point == std::floor(point) && point <= kLargestCount), UsageError,
                    "multi: count {} must be a whole number up to {}; take --precision fp64 beyond", point,
                    kLargestCount);
  }
  for (std::size_t i = 0; discrete && i < reward.size(); ++i) {
    SOJOURN_EXPECTS(reward[i] == std::floor(reward[i]) && reward[i] <= kLargestCount, UsageError,
                    "multi: reward {} of state {} must be a whole number up to {} in discrete time", reward[i], i,
                    kLargestCount);
  }
  return settle(Problem{graph, prc, phi, reward, digits, gradient, true}, [&](const auto& replay) {
    std::vector<typename std::remove_cvref_t<decltype(replay)>::Number> values;
    for (const double point : points) values.push_back(replay.law(kind, point));
    return values;
  });
}

Quantity gather_multi(const ParticleBatch& batch, std::size_t num_values,
                      const std::function<MultiAnswer(std::span<const double> phi)>& answer_at) {
  const std::size_t num_lanes = batch.size();
  Quantity quantity;
  quantity.values = Matrix<double>(num_lanes, num_values);
  quantity.error_bound = Matrix<double>(num_lanes, num_values);
  quantity.method.assign(num_lanes * num_values, LawMethod::kMulti);
  quantity.status.assign(num_lanes, "ok");
  std::vector<double> by_rate;
  for (std::size_t k = 0; k < num_lanes; ++k) {
    MultiAnswer answer = answer_at(batch.phi().row(k));
    if (!answer.message.empty()) quantity.status[k] = answer.message;
    for (std::size_t n = 0; n < num_values; ++n) {
      quantity.values(k, n) = answer.value[n];
      quantity.error_bound(k, n) = answer.agreement[n];
    }
    std::move(answer.text.begin(), answer.text.end(), std::back_inserter(quantity.text));
    by_rate.insert(by_rate.end(), answer.gradient.begin(), answer.gradient.end());
  }
  quantity.gradient = batch.pull_back(std::move(by_rate), num_values);
  return quantity;
}

}  // namespace sojourn
