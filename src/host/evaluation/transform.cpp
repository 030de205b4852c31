#include <limits>
#include <optional>

#include "evaluation/scaled.hpp"
#include "evaluation/transform_kernels.hpp"
#include "evaluation/transform_nodes.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

constexpr int kWideNodes = 4 * kVectorDoubles;
/// With gradient two sums at a time have to fit the registers.
constexpr int kGradientNodes = 2 * kVectorDoubles;
constexpr int kNarrowNodes = kVectorDoubles;
/// A shift this large stops every earning row before it does anything else.
constexpr double kStopShift = 1e280;

/// Remembers the smallest pivot of each lane: the shift lies right of -lambda_1 exactly when all pivots are positive.
template <class Real>
struct LowestPivot {
  Real* lowest;
  void see(const Real& pivot) const {
    Real::each([&](auto i) { lowest->v[i] = pivot.v[i] < lowest->v[i] ? pivot.v[i] : lowest->v[i]; });
  }
};
struct ScaledPivotSign {
  bool* positive;
  void see(const Scaled<double>& pivot) const {
    if (!(pivot.mantissa > 0)) *positive = false;
  }
};

/// Value and derivatives by the shift w - 1 become those by s, w = exp(s); G is multiplied by w besides.
template <class Real>
void chain_to_discrete(double w, bool survival, Real& value, Real& first, Real& second) {
  const Real once = w * first, twice = w * (w * second);
  if (survival) {
    second = w * (value + 3.0 * once + twice);
    first = w * (value + once);
    value = w * value;
  } else {
    second = once + twice;
    first = once;
  }
}

struct Impl {
  Prc prc;
  LazyDifferenceProgram differences;
  PrcView view;
  std::vector<double> reward;  // by row
  bool has_zero_reward = false;
  double defect = 0;
  bool discrete = false;
};

template <class T>
T& ensure(std::optional<T>& slot, const Impl& impl) {
  if (!slot) slot.emplace(impl.prc, impl.differences);
  return *slot;
}

struct Workspace final : TransformReplay::Workspace {
  std::vector<double> rate, exit, alpha, instant, visits, atom_gradient;
  double atom = 0;
  TransformParticle particle;
  // Made on first use: a likelihood needs the wide complex nodes alone.
  std::optional<TransformNodes<ComplexPack<kWideNodes>>> wide;
  std::optional<TransformNodes<ComplexPack<kGradientNodes>>> with_gradient;
  std::optional<TransformNodes<ComplexPack<kNarrowNodes>>> narrow;
  std::optional<TransformNodes<Pack<kWideLanes>>> real_wide;
  std::optional<TransformNodes<Pack<kNarrowLanes>>> real_narrow;
  std::optional<TransformNodes<Scaled<double>>> scaled;
  std::optional<TransformNodes<Scaled<std::complex<double>>>> scaled_complex;
};
Workspace& own(TransformReplay::Workspace& workspace) { return static_cast<Workspace&>(workspace); }
const Workspace& own(const TransformReplay::Workspace& workspace) { return static_cast<const Workspace&>(workspace); }

/// The members of `TransformReplay` for this set.
class SetTransform final : public TransformKernels {
 public:
  SetTransform(const StateGraph& graph, const Prc& prc, std::span<const double> reward);
  TransformReplay::WorkspacePtr make_workspace() const override;
  std::int32_t num_rates() const override { return impl_.view.num_rates; }
  double num_roundings() const override {
    const PrcCost& cost = impl_.prc.cost();
    return 0.5 * static_cast<double>(cost.num_levels + cost.largest_component);
  }
  void set_particle(std::span<const double> phi, TransformReplay::Workspace& of) const override;
  double atom(const TransformReplay::Workspace& of) const override { return own(of).atom; }
  std::span<const double> atom_gradient(const TransformReplay::Workspace& of) const override {
    return own(of).atom_gradient;
  }
  double density_at_zero(TransformReplay::Workspace& of, std::span<double> gradient) const override;
  void evaluate(std::span<const std::complex<double>> s, std::span<std::complex<double>> density,
                std::span<std::complex<double>> survival, std::span<std::complex<double>> density_gradient,
                std::span<std::complex<double>> survival_gradient, TransformReplay::Workspace& of) const override;
  void evaluate_real(bool survival, std::span<const double> s, std::span<double> value, std::span<double> first,
                     std::span<double> second, TransformReplay::Workspace& of) const override;
  void right_of_poles(std::span<const double> s, std::span<bool> answer, TransformReplay::Workspace& of) const override;
  void evaluate_scaled(std::complex<double> s, bool survival, ScaledComplexValue& value,
                       std::span<std::complex<double>> gradient, TransformReplay::Workspace& of) const override;
  void evaluate_real_scaled(bool survival, double s, ScaledValue& value, ScaledValue& first, ScaledValue& second,
                            TransformReplay::Workspace& of) const override;

 private:
  Impl impl_;
};

SetTransform::SetTransform(const StateGraph& graph, const Prc& prc, std::span<const double> reward)
    : impl_{prc,
            LazyDifferenceProgram(prc.arrays()),
            prc.arrays().view(),
            {},
            false,
            graph.defect(),
            graph.time_kind() == TimeKind::kDiscrete} {
  SOJOURN_EXPECTS(std::cmp_equal(reward.size(), graph.num_states()), ShapeError,
                  "transform: reward has {} values; the model has {} states", reward.size(), graph.num_states());
  impl_.reward.resize(impl_.view.num_rows);
  for (std::int32_t v = 0; v < impl_.view.num_rows; ++v) {
    impl_.reward[v] = reward[prc.arrays().state_of_row[v]];
    impl_.has_zero_reward |= impl_.reward[v] == 0;
  }
  for (const InitialMass& start : graph.initial()) {
    if (graph.is_absorbing(start.state)) impl_.defect += start.probability;
  }
}

TransformReplay::WorkspacePtr SetTransform::make_workspace() const {
  auto workspace = std::make_unique<Workspace>();
  const PrcView& prc = impl_.view;
  workspace->rate.resize(1 + prc.num_rates + prc.num_forms);
  workspace->exit.resize(prc.num_rows);
  workspace->alpha.resize(prc.num_rows);
  workspace->instant.assign(prc.num_rows, 0);
  workspace->visits.assign(prc.num_rows, 0);
  workspace->atom_gradient.resize(prc.num_rates);
  return workspace;
}

/// Replaces exits and starts by their effect through states that earn nothing: those are factored with every earning
/// row stopped at once, so that what is left is absorption, or arrival, without earning.
void pass_through_zero_rewards(const PrcView& prc, const Prc& owner, const std::vector<double>& reward,
                               std::span<double> rate, std::span<double> exit, std::span<double> alpha,
                               std::span<double> instant, std::span<double> visits, double& atom,
                               std::span<double> atom_gradient) {
  const PrcArrays& arrays = owner.arrays();
  const std::int32_t rows = prc.num_rows;
  std::vector<double> entry(arrays.entry_column.size()), scratch(rows), inverse(rows), gradient(rate.size(), 0.0);
  const auto absorbing = [&](std::int32_t v) {
    double sum = 0;
    for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_middle; ++g) {
      sum += prc.groups[g].absorbing * rate[prc.groups[g].rate];
    }
    return sum;
  };
  for (std::int32_t c = 0; c < prc.num_components; ++c) {
    const PrcComponent& component = prc.components[c];
    factor_component<double>(
        prc, component, rate.data(), [&](std::int32_t v) { return reward[v] > 0 ? kStopShift : 0.0; },
        entry.data() + component.entry_begin, scratch.data() + component.row_begin,
        inverse.data() + component.row_begin, IgnorePivots{});
    solve_component<OwnSlots, double>(
        prc, component, rate.data(), entry.data() + component.entry_begin, inverse.data() + component.row_begin,
        [&](std::int32_t v) { return reward[v] > 0 ? 0.0 : absorbing(v); }, instant.data());
  }
  for (std::int32_t v = 0; v < rows; ++v) visits[v] = reward[v] > 0 ? 0.0 : prc.alpha[v];
  for (std::int32_t c = prc.num_components - 1; c >= 0; --c) {
    const PrcComponent& component = prc.components[c];
    transposed_solve_component<double>(prc, component, rate.data(), entry.data() + component.entry_begin,
                                       inverse.data() + component.row_begin, visits.data());
  }
  for (std::int32_t v = 0; v < rows; ++v) {
    if (reward[v] > 0) instant[v] = visits[v] = 0;
  }
  for (std::int32_t v = 0; v < rows; ++v) {
    alpha[v] = reward[v] > 0 ? prc.alpha[v] : 0;
    exit[v] = reward[v] > 0 ? absorbing(v) : 0;
  }
  for (std::int32_t v = 0; v < rows; ++v) {
    if (reward[v] == 0) {
      atom += prc.alpha[v] * instant[v];
      for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_end; ++g) {
        const PrcGroup& group = prc.groups[g];
        double sum = group.absorbing - group.total * instant[v];
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
          sum += prc.terms[t].coefficient * instant[prc.terms[t].column];
        }
        gradient[group.rate] += visits[v] * sum;
      }
    }
    for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_end; ++g) {
      const PrcGroup& group = prc.groups[g];
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        const double weight = prc.terms[t].coefficient * rate[group.rate];
        const std::int32_t to = prc.terms[t].column;
        if (reward[v] > 0 && reward[to] == 0) exit[v] += weight * instant[to];
        if (reward[v] == 0 && reward[to] > 0) alpha[to] += weight * visits[v];
      }
    }
  }
  fold_forms(prc, gradient);
  for (std::int32_t k = 0; k < prc.num_rates; ++k) atom_gradient[k] = gradient[1 + k];
}

void SetTransform::set_particle(std::span<const double> phi, TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  const PrcView& prc = impl_.view;
  SOJOURN_EXPECTS(std::cmp_equal(phi.size(), prc.num_rates), ShapeError, "transform: phi has {} values; wanted {}",
                  phi.size(), prc.num_rates);
  extend_rates(prc, phi.data(), workspace.rate.data());
  workspace.atom = impl_.defect;
  std::fill(workspace.atom_gradient.begin(), workspace.atom_gradient.end(), 0.0);
  TransformParticle& particle = workspace.particle;
  particle = {
      workspace.rate.data(), impl_.reward.data(), workspace.exit.data(), workspace.alpha.data(), nullptr, nullptr};
  if (impl_.has_zero_reward) {
    pass_through_zero_rewards(prc, impl_.prc, impl_.reward, workspace.rate, workspace.exit, workspace.alpha,
                              workspace.instant, workspace.visits, workspace.atom, workspace.atom_gradient);
    particle.instant = workspace.instant.data();
    particle.visits = workspace.visits.data();
    return;
  }
  for (std::int32_t v = 0; v < prc.num_rows; ++v) {
    double sum = 0;
    for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_middle; ++g) {
      sum += prc.groups[g].absorbing * workspace.rate[prc.groups[g].rate];
    }
    workspace.exit[v] = sum;
    workspace.alpha[v] = prc.alpha[v];
  }
}

double SetTransform::density_at_zero(TransformReplay::Workspace& of, std::span<double> gradient) const {
  Workspace& workspace = own(of);
  double value = 0;
  for (std::int32_t v = 0; v < impl_.view.num_rows; ++v) {
    if (impl_.reward[v] > 0) value += workspace.alpha[v] * workspace.exit[v] / impl_.reward[v];
  }
  if (gradient.empty()) return value;
  std::fill(gradient.begin(), gradient.end(), 0.0);
  if (value == 0) return value;
  // f(0+) = lim s D(s); at this shift the limit is reached to far below rounding.
  constexpr double kFarShift = 0x1p600;
  std::vector<std::complex<double>> by_rate(gradient.size());
  ScaledComplexValue transform;
  evaluate_scaled(kFarShift, false, transform, by_rate, workspace);
  for (std::size_t k = 0; k < gradient.size(); ++k) {
    gradient[k] = std::ldexp(by_rate[k].real(), static_cast<int>(transform.exponent) + 600);
  }
  return value;
}

template <int Lanes>
void evaluate_block(TransformNodes<ComplexPack<Lanes>>& nodes, const TransformParticle& particle, bool discrete,
                    std::span<const std::complex<double>> s, std::size_t first, std::int32_t num_rates,
                    std::span<std::complex<double>> density, std::span<std::complex<double>> survival,
                    std::span<std::complex<double>> density_gradient,
                    std::span<std::complex<double>> survival_gradient) {
  ComplexPack<Lanes> shift(0.0);
  const std::size_t count = std::min<std::size_t>(Lanes, s.size() - first);
  for (int lane = 0; lane < Lanes; ++lane) {
    const std::complex<double> at = s[first + std::min<std::size_t>(lane, count - 1)];
    const std::complex<double> node = discrete ? exponential_minus_one(at) : at;
    shift.re.lane(lane) = node.real();
    shift.im.lane(lane) = node.imag();
  }
  nodes.factor(particle, shift, IgnorePivots{});
  const auto store = [&](const ComplexPack<Lanes>& value, std::span<std::complex<double>> out, std::size_t stride,
                         std::size_t offset) {
    for (std::size_t lane = 0; lane < count; ++lane) {
      out[(first + lane) * stride + offset] = {value.re.lane(static_cast<int>(lane)),
                                               value.im.lane(static_cast<int>(lane))};
    }
  };
  if (!density.empty()) {
    store(density_gradient.empty() ? nodes.solve_density() : nodes.solve_density_differences(), density, 1, 0);
  }
  if (!survival.empty()) {
    store(survival_gradient.empty() ? nodes.solve_survival() : nodes.solve_survival_differences(), survival, 1, 0);
  }
  if (density_gradient.empty() && survival_gradient.empty()) return;
  nodes.solve_visits();
  for (const bool is_survival : {false, true}) {
    const auto out = is_survival ? survival_gradient : density_gradient;
    if (out.empty()) continue;
    const auto& gradient = nodes.gradient(is_survival);
    for (std::int32_t k = 0; k < num_rates; ++k) store(gradient[1 + k], out, num_rates, k);
  }
}

void SetTransform::evaluate(std::span<const std::complex<double>> s, std::span<std::complex<double>> density,
                            std::span<std::complex<double>> survival, std::span<std::complex<double>> density_gradient,
                            std::span<std::complex<double>> survival_gradient, TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  SOJOURN_EXPECTS((density_gradient.empty() || !density.empty()) && (survival_gradient.empty() || !survival.empty()),
                  UsageError, "transform: a gradient is asked for without its value");
  const std::int32_t num_rates = impl_.view.num_rates;
  std::size_t first = 0;
  const auto run = [&](auto& nodes, std::size_t num_nodes) {
    evaluate_block(nodes, workspace.particle, impl_.discrete, s, first, num_rates, density, survival, density_gradient,
                   survival_gradient);
    first += num_nodes;
  };
  const bool with_gradient = !density_gradient.empty() || !survival_gradient.empty();
  while (first < s.size()) {
    const std::size_t left = s.size() - first;
    if (left <= (with_gradient ? 1 : 2) * kNarrowNodes) {
      run(ensure(workspace.narrow, impl_), kNarrowNodes);
    } else if (with_gradient) {
      run(ensure(workspace.with_gradient, impl_), kGradientNodes);
    } else {
      run(ensure(workspace.wide, impl_), kWideNodes);
    }
  }
  if (!impl_.discrete) return;
  for (std::size_t k = 0; k < survival.size(); ++k) {
    const std::complex<double> w = std::exp(s[k]);
    survival[k] *= w;
    for (std::int32_t p = 0; p < num_rates && !survival_gradient.empty(); ++p)
      survival_gradient[k * num_rates + p] *= w;
  }
}

void SetTransform::evaluate_real(bool survival, std::span<const double> s, std::span<double> value,
                                 std::span<double> first, std::span<double> second,
                                 TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  const auto run = [&](auto& nodes, auto shift, std::size_t begin) {
    using Lanes = decltype(shift);
    const std::size_t count = std::min<std::size_t>(Lanes::kLanes, s.size() - begin);
    for (int lane = 0; lane < Lanes::kLanes; ++lane) {
      const double at = s[begin + std::min<std::size_t>(lane, count - 1)];
      shift.lane(lane) = impl_.discrete ? std::expm1(at) : at;
    }
    Lanes lowest(std::numeric_limits<double>::infinity());
    nodes.factor(workspace.particle, shift, LowestPivot<Lanes>{&lowest});
    Lanes x0, x1, x2;
    nodes.solve_derivatives(survival, x0, x1, x2);
    for (std::size_t lane = 0; lane < count; ++lane) {
      const int i = static_cast<int>(lane);
      const bool valid = lowest.lane(i) > 0;
      const double nan = std::numeric_limits<double>::quiet_NaN();
      double zeroth = x0.lane(i), once = -x1.lane(i), twice = 2 * x2.lane(i);
      if (impl_.discrete) chain_to_discrete(std::exp(s[begin + lane]), survival, zeroth, once, twice);
      value[begin + lane] = valid ? zeroth : nan;
      first[begin + lane] = valid ? once : nan;
      second[begin + lane] = valid ? twice : nan;
    }
    return static_cast<std::size_t>(Lanes::kLanes);
  };
  for (std::size_t begin = 0; begin < s.size();) {
    if (s.size() - begin > 2 * kNarrowLanes) {
      begin += run(ensure(workspace.real_wide, impl_), Pack<kWideLanes>(0.0), begin);
    } else {
      begin += run(ensure(workspace.real_narrow, impl_), Pack<kNarrowLanes>(0.0), begin);
    }
  }
}

void SetTransform::right_of_poles(std::span<const double> s, std::span<bool> answer,
                                  TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  using Lanes = Pack<kNarrowLanes>;
  auto& nodes = ensure(workspace.real_narrow, impl_);
  for (std::size_t begin = 0; begin < s.size(); begin += kNarrowLanes) {
    const std::size_t count = std::min<std::size_t>(kNarrowLanes, s.size() - begin);
    Lanes shift(0.0), lowest(std::numeric_limits<double>::infinity());
    for (int lane = 0; lane < kNarrowLanes; ++lane) {
      const double at = s[begin + std::min<std::size_t>(lane, count - 1)];
      shift.lane(lane) = impl_.discrete ? std::expm1(at) : at;
    }
    nodes.factor(workspace.particle, shift, LowestPivot<Lanes>{&lowest});
    for (std::size_t lane = 0; lane < count; ++lane) answer[begin + lane] = lowest.lane(static_cast<int>(lane)) > 0;
  }
}

void SetTransform::evaluate_scaled(std::complex<double> s, bool survival, ScaledComplexValue& value,
                                   std::span<std::complex<double>> gradient, TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  using Number = Scaled<std::complex<double>>;
  auto& nodes = ensure(workspace.scaled_complex, impl_);
  nodes.factor(workspace.particle, Number(impl_.discrete ? exponential_minus_one(s) : s, 0), IgnorePivots{});
  const bool differences = !gradient.empty();
  const Number result = survival ? (differences ? nodes.solve_survival_differences() : nodes.solve_survival())
                                 : (differences ? nodes.solve_density_differences() : nodes.solve_density());
  const std::complex<double> factor = impl_.discrete && survival ? std::exp(s) : 1.0;
  value = {factor * result.mantissa, result.exponent};
  if (gradient.empty()) return;
  nodes.solve_visits();
  const auto& by_rate = nodes.gradient(survival);
  for (std::size_t k = 0; k < gradient.size(); ++k) {
    const Number& g = by_rate[1 + k];
    const auto by = std::clamp<std::int64_t>(g.exponent - result.exponent, -2000, 2000);
    gradient[k] = factor * Number::shifted(g.mantissa, static_cast<int>(by));
  }
}

void SetTransform::evaluate_real_scaled(bool survival, double s, ScaledValue& value, ScaledValue& first,
                                        ScaledValue& second, TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  using Number = Scaled<double>;
  auto& nodes = ensure(workspace.scaled, impl_);
  bool positive = true;
  nodes.factor(workspace.particle, Number(impl_.discrete ? std::expm1(s) : s), ScaledPivotSign{&positive});
  Number x0, x1, x2;
  nodes.solve_derivatives(survival, x0, x1, x2);
  x1 = -1.0 * x1;
  x2 = 2.0 * x2;
  if (impl_.discrete) chain_to_discrete(std::exp(s), survival, x0, x1, x2);
  if (!positive) x0.mantissa = x1.mantissa = x2.mantissa = std::numeric_limits<double>::quiet_NaN();
  value = {x0.mantissa, x0.exponent};
  first = {x1.mantissa, x1.exponent};
  second = {x2.mantissa, x2.exponent};
}

}  // namespace

std::complex<double> exponential_minus_one(std::complex<double> s) {
  const double half = std::sin(s.imag() / 2);
  return {std::expm1(s.real()) * std::cos(s.imag()) - 2 * half * half, std::exp(s.real()) * std::sin(s.imag())};
}

template <>
std::unique_ptr<TransformKernels> transform_kernels_on<kThisSet>(const StateGraph& graph, const Prc& prc,
                                                                 std::span<const double> reward) {
  return std::make_unique<SetTransform>(graph, prc, reward);
}

}  // namespace sojourn
