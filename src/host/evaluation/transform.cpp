#include <algorithm>
#include <cmath>
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

/// Relative error that products may leave of a node's derivative: contours add nodes up with weights that cancel, so it
/// is a tenth of what a gradient may lose.
constexpr double kNodeTolerance = 0.1 * kGradientTolerance;

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
  /// What rounding leaves of a gradient by products at most, as a share of its size.
  double gradient_share = 0;
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
  std::int64_t workspace_bytes(int num_transforms, bool gradient) const override;
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
            graph.time_kind() == TimeKind::kDiscrete,
            GradientJudge(prc.arrays(), 1).share()} {
  SOJOURN_EXPECTS(std::cmp_equal(reward.size(), graph.num_states()), ShapeError,
                  "transform: reward has {} values; the model has {} states", reward.size(), graph.num_states());
  impl_.reward = prc.arrays().by_row(reward);
  impl_.has_zero_reward = std::find(impl_.reward.begin(), impl_.reward.end(), 0.0) != impl_.reward.end();
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

std::int64_t SetTransform::workspace_bytes(int num_transforms, bool gradient) const {
  const PrcArrays& prc = impl_.prc.arrays();
  constexpr std::size_t kVectors = 5;  // of the particle
  return static_cast<std::int64_t>(sizeof(double) * kVectors * prc.rows.size()) +
         (gradient ? TransformNodes<ComplexPack<kGradientNodes>>::num_bytes(prc, num_transforms + 1) : 0) +
         TransformNodes<ComplexPack<kWideNodes>>::num_bytes(prc, num_transforms) +
         TransformNodes<Pack<kNarrowLanes>>::num_bytes(prc, 0);
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
  const auto absorbing = [&](std::int32_t v) { return absorbing_weight<double>(prc, prc.rows[v], rate); };
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
    workspace.exit[v] = absorbing_weight<double>(prc, prc.rows[v], workspace.rate);
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

/// What `evaluate` fills, density first, then survival; empty where it is not asked for.
struct NodeResults {
  std::span<std::complex<double>> value[2], gradient[2];
  [[nodiscard]] bool with_gradient() const { return !gradient[0].empty() || !gradient[1].empty(); }
};

/// The nodes of one block: `count` of its lanes, which begin at node `first` of the call.
template <int Lanes>
class NodeBlock {
 public:
  NodeBlock(TransformNodes<ComplexPack<Lanes>>& nodes, const Impl& impl, const TransformParticle& particle,
            std::span<const std::complex<double>> s, std::size_t first, const NodeResults& results, ReplayTally& tally)
      : nodes_(nodes),
        tally_(tally),
        passes_through_(particle.instant != nullptr),
        num_rates_(impl.view.num_rates),
        share_(impl.gradient_share),
        first_(first),
        count_(std::min<std::size_t>(Lanes, s.size() - first)),
        results_(results) {
    ComplexPack<Lanes> shift(0.0);
    for (int lane = 0; lane < Lanes; ++lane) {
      const std::complex<double> at = s[first + std::min<std::size_t>(lane, count_ - 1)];
      const std::complex<double> node = impl.discrete ? exponential_minus_one(at) : at;
      shift.re.lane(lane) = node.real();
      shift.im.lane(lane) = node.imag();
    }
    nodes_.factor(particle, shift, IgnorePivots{});
    tally_.complex_factors += static_cast<std::int64_t>(count_);
  }

  void values() {
    for (const bool survival : {false, true}) {
      if (results_.value[survival].empty()) continue;
      store(nodes_.solve(survival), results_.value[survival]);
      count_solves(1);
    }
  }
  /// Gradients by products, and by differences where these are in doubt; the values are there. False where all were.
  bool gradients_by_products() {
    bool any_kept = false;
    nodes_.solve_visits();
    count_solves(1);
    for (const bool survival : {false, true}) {
      if (results_.gradient[survival].empty()) continue;
      count_solves(passes_through_ ? 1 : 0);
      const auto& gradient = nodes_.gradient_by_products(survival);
      bool any_in_doubt = false;
      for (std::size_t lane = 0; lane < count_; ++lane) {
        wanted_[lane] = in_doubt(gradient, nodes_.gradient_size(), static_cast<int>(lane));
        (wanted_[lane] ? any_in_doubt : any_kept) = true;
      }
      store_gradient(gradient, survival, false);
      if (!any_in_doubt) continue;
      nodes_.solve_differences(survival);
      count_solves(passes_through_ ? 3 : 2);
      store_gradient(nodes_.gradient(survival), survival, true);
    }
    return any_kept;
  }
  /// Values, and gradients by differences.
  void gradients_by_differences() {
    for (const bool survival : {false, true}) {
      if (results_.value[survival].empty()) continue;
      const bool value_alone = results_.gradient[survival].empty();
      store(value_alone ? nodes_.solve(survival) : nodes_.solve_differences(survival), results_.value[survival]);
      count_solves(value_alone ? 1 : 2);
    }
    nodes_.solve_visits();
    count_solves(1);
    std::fill_n(wanted_, count_, true);
    for (const bool survival : {false, true}) {
      if (results_.gradient[survival].empty()) continue;
      store_gradient(nodes_.gradient(survival), survival, true);
      count_solves(passes_through_ ? 1 : 0);
    }
  }

 private:
  void count_solves(std::int64_t each) { tally_.complex_solves += each * static_cast<std::int64_t>(count_); }
  /// Whether products may have lost digits of some derivative of a node that matter. A zero size is an exact zero.
  [[nodiscard]] bool in_doubt(const PackArray<ComplexPack<Lanes>>& gradient, const PackArray<Pack<Lanes>>& size,
                              int lane) const {
    for (std::int32_t r = 1; r <= num_rates_; ++r) {
      const double left = std::max(std::abs(gradient[r].re.lane(lane)), std::abs(gradient[r].im.lane(lane)));
      // Gained and lost are alike where they cancel. Written so that what is not a number is in doubt.
      if (!(2 * share_ * size[r].lane(lane) <= kNodeTolerance * left)) return true;
    }
    return false;
  }
  void store(const ComplexPack<Lanes>& value, std::span<std::complex<double>> out) const {
    for (std::size_t lane = 0; lane < count_; ++lane) store_lane(value, out, 1, 0, lane);
  }
  void store_lane(const ComplexPack<Lanes>& value, std::span<std::complex<double>> out, std::size_t stride,
                  std::size_t offset, std::size_t lane) const {
    out[(first_ + lane) * stride + offset] = {value.re.lane(static_cast<int>(lane)),
                                              value.im.lane(static_cast<int>(lane))};
  }
  /// Of the lanes whose `wanted_` is the given one.
  void store_gradient(const PackArray<ComplexPack<Lanes>>& gradient, bool survival, bool wanted) const {
    for (std::size_t lane = 0; lane < count_; ++lane) {
      if (wanted_[lane] != wanted) continue;
      for (std::int32_t k = 0; k < num_rates_; ++k) {
        store_lane(gradient[1 + k], results_.gradient[survival], num_rates_, k, lane);
      }
    }
  }

  TransformNodes<ComplexPack<Lanes>>& nodes_;
  ReplayTally& tally_;
  bool passes_through_;  ///< states that earn nothing: each gradient solves for the visits once more
  std::int32_t num_rates_;
  double share_;
  std::size_t first_, count_;
  const NodeResults& results_;
  bool wanted_[Lanes] = {};  ///< lanes that differences serve
};

void SetTransform::evaluate(std::span<const std::complex<double>> s, std::span<std::complex<double>> density,
                            std::span<std::complex<double>> survival, std::span<std::complex<double>> density_gradient,
                            std::span<std::complex<double>> survival_gradient, TransformReplay::Workspace& of) const {
  Workspace& workspace = own(of);
  SOJOURN_EXPECTS((density_gradient.empty() || !density.empty()) && (survival_gradient.empty() || !survival.empty()),
                  UsageError, "transform: a gradient is asked for without its value");
  const std::int32_t num_rates = impl_.view.num_rates;
  const NodeResults results{{density, survival}, {density_gradient, survival_gradient}};
  const bool with_gradient = results.with_gradient();
  // Where products fail at all nodes of a block, the next ones are not tried.
  bool by_products = true;
  std::size_t first = 0;
  const auto run = [&](auto& nodes, std::size_t num_nodes) {
    NodeBlock block(nodes, impl_, workspace.particle, s, first, results, workspace.tally);
    if (with_gradient && !by_products) {
      block.gradients_by_differences();
    } else {
      block.values();
      if (with_gradient) by_products = block.gradients_by_products();
    }
    first += num_nodes;
  };
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
    workspace.tally.real_factors += static_cast<std::int64_t>(count);
    workspace.tally.real_solves += 3 * static_cast<std::int64_t>(count);
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
  workspace.tally.real_factors += static_cast<std::int64_t>(s.size());
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
  const Number result = gradient.empty() ? nodes.solve(survival) : nodes.solve_differences(survival);
  const std::complex<double> factor = impl_.discrete && survival ? std::exp(s) : 1.0;
  value = {factor * result.mantissa, result.exponent};
  workspace.tally.complex_factors += 1;
  workspace.tally.complex_solves += gradient.empty() ? 1 : 3;
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
  workspace.tally.real_factors += 1;
  workspace.tally.real_solves += 3;
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
