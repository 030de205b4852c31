#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "evaluation/lane_replay.hpp"

namespace sojourn {

/// What a set of transform nodes needs to know of the particle they belong to; all [rows] unless said.
struct TransformParticle {
  const double* rate = nullptr;  ///< [extended rates]
  const double* reward = nullptr;
  /// Rate into "absorbed without earning any more", zero where the reward is zero.
  const double* exit = nullptr;
  /// Start mass that first earns in this row, zero where the reward is zero.
  const double* alpha = nullptr;
  /// Where zero-reward states exist (null otherwise): probability of absorption without earning, and expected visits
  /// per exit rate before the first earning state; both zero in earning rows.
  const double* instant = nullptr;
  const double* visits = nullptr;
};

/// Factors and solutions at a pack of nodes that share one particle; `Real` is a pack or a scaled number.
template <class Real>
class TransformNodes {
  using Size = std::remove_cvref_t<decltype(size_of(std::declval<const Real&>()))>;

 public:
  TransformNodes(const Prc& prc, const LazyDifferenceProgram& differences)
      : arrays_(&prc.arrays()),
        differences_(&differences),
        prc_(prc.arrays().view()),
        entry_(prc.arrays().entry_column.size()),
        exit_(prc_.num_rows),
        inverse_(prc_.num_rows),
        density_(prc_.num_rows),
        survival_(prc_.num_rows),
        again_(prc_.num_rows),
        visits_(prc_.num_rows),
        gradient_(1 + prc_.num_rates + prc_.num_forms) {}

  template <class PivotWatch>
  void factor(const TransformParticle& particle, const Real& shift, PivotWatch&& pivots) {
    particle_ = particle;
    shift_ = shift;
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      factor_component<Real>(prc_, component, particle.rate, kill(), entry_.data() + component.entry_begin,
                             exit_.data() + component.row_begin, inverse_.data() + component.row_begin, pivots);
    }
  }
  Real solve_density() {
    solve([&](std::int32_t v) { return Real(particle_.exit[v]); }, density_);
    return dot_start(density_);
  }
  Real solve_survival() {
    solve([&](std::int32_t v) { return Real(particle_.reward[v]); }, survival_);
    return dot_start(survival_);
  }
  /// The same with the differences that `gradient` needs.
  Real solve_density_differences() {
    solve_differences([&](std::int32_t v) { return Real(particle_.exit[v]); }, absorbing_density(),
                      density_differences_);
    return dot_start(density_differences_->view().x);
  }
  Real solve_survival_differences() {
    solve_differences([&](std::int32_t v) { return Real(particle_.reward[v]); }, 0.0, survival_differences_);
    return dot_start(survival_differences_->view().x);
  }
  /// Value and the two next solutions M R x, M R M R x, for derivatives by the shift.
  void solve_derivatives(bool survival, Real& value, Real& first, Real& second) {
    PackArray<Real>& x = survival ? survival_ : density_;
    value = survival ? solve_survival() : solve_density();
    solve([&](std::int32_t v) { return particle_.reward[v] * x[v]; }, again_);
    first = dot_start(again_);
    solve([&](std::int32_t v) { return particle_.reward[v] * again_[v]; }, x);
    second = dot_start(x);
  }
  /// visits = A^-T (start mass that first earns in each row).
  void solve_visits() {
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) visits_[v] = Real(particle_.alpha[v]);
    for (std::int32_t c = prc_.num_components - 1; c >= 0; --c) {
      const PrcComponent& component = prc_.components[c];
      transposed_solve_component<Real>(prc_, component, particle_.rate, entry_.data() + component.entry_begin,
                                       inverse_.data() + component.row_begin, visits_.data());
    }
  }
  /// Gradient by extended rate of the density or survival transform; needs the differences and `solve_visits`.
  const PackArray<Real>& gradient(bool survival) {
    const Differences<Real*> solution = (survival ? survival_differences_ : density_differences_)->view();
    return gather_gradient(survival,
                           [&] { add_gradient<Real>(prc_, solution.slope, visits_.data(), gradient_.data()); });
  }
  /// The same from the solution alone, which loses what products lose; `gradient_size` says of what size they were.
  const PackArray<Real>& gradient_by_products(bool survival) {
    const std::int32_t num_rates = 1 + prc_.num_rates + prc_.num_forms;
    size_.resize(num_rates);
    for (std::int32_t k = 0; k < num_rates; ++k) size_[k] = Size(0.0);
    gather_gradient(survival, [&] {
      add_gradient_products<Real>(prc_, (survival ? survival_ : density_).data(), visits_.data(),
                                  survival ? 0.0 : absorbing_density(), gradient_.data(), size_.data());
    });
    fold_forms(prc_, GradientSums<Size*>{size_.data(), size_.data()});
    return gradient_;
  }
  [[nodiscard]] const PackArray<Size>& gradient_size() const { return size_; }

 private:
  [[nodiscard]] auto kill() const {
    return [this](std::int32_t v) { return particle_.reward[v] * shift_; };
  }
  template <class Rhs>
  void solve(Rhs&& rhs, PackArray<Real>& x) {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      solve_component<OwnSlots, Real>(prc_, component, particle_.rate, entry_.data() + component.entry_begin,
                                      inverse_.data() + component.row_begin, rhs, x.data());
    }
  }
  template <class Rhs>
  void solve_differences(Rhs&& rhs, double absorbing, std::optional<SolutionArrays<Real>>& solution) {
    if (!solution) solution.emplace(*arrays_);
    if (!rises_) rises_.emplace(differences_->get());
    const ComponentRises<Real*> rises = rises_->view();
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      solve_differences_component<Real>(prc_, component, particle_.rate, entry_.data() + component.entry_begin,
                                        exit_.data() + component.row_begin, inverse_.data() + component.row_begin, rhs,
                                        kill(), absorbing, solution->view(), rises);
    }
  }
  /// The density transform at absorption; where states earn nothing, `add_instant_gradient` has its part.
  [[nodiscard]] double absorbing_density() const { return particle_.instant == nullptr ? 1.0 : 0.0; }
  template <class AddGradient>
  const PackArray<Real>& gather_gradient(bool survival, AddGradient&& add) {
    for (std::int32_t k = 0; k < 1 + prc_.num_rates + prc_.num_forms; ++k) gradient_[k] = Real(0.0);
    const bool pass_through = particle_.instant != nullptr;
    if (pass_through) {
      if (!survival) {
        for (std::int32_t v = 0; v < prc_.num_rows; ++v) add_instant_gradient(v);
      }
      for (std::int32_t v = 0; v < prc_.num_rows; ++v) visits_[v] += Real(particle_.visits[v]);
    }
    add();
    if (pass_through) solve_visits();
    fold_forms(prc_, gradient_.data());
    return gradient_;
  }
  /// The edge's effect through absorption without earning: visits * coefficient * (instant_j - instant_v).
  void add_instant_gradient(std::int32_t v) {
    const PrcRow& row = prc_.rows[v];
    for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
      const PrcGroup& group = prc_.groups[g];
      if (group.rate == 0) continue;
      double sum = group.absorbing - group.total * particle_.instant[v];
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        sum += prc_.terms[t].coefficient * particle_.instant[prc_.terms[t].column];
      }
      add_product(gradient_[group.rate], sum, visits_[v]);
    }
  }
  template <class Array>
  Real dot_start(const Array& x) const {
    Real sum(0.0);
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) {
      if (prc_.alpha[v] != 0) add_product(sum, prc_.alpha[v], x[v]);
    }
    return sum;
  }

  const PrcArrays* arrays_;
  const LazyDifferenceProgram* differences_;
  PrcView prc_;
  TransformParticle particle_;
  Real shift_{};
  PackArray<Real> entry_, exit_, inverse_, density_, survival_, again_, visits_, gradient_;
  PackArray<Size> size_;
  std::optional<SolutionArrays<Real>> density_differences_, survival_differences_;
  std::optional<RiseArrays<Real>> rises_;
};

}  // namespace sojourn
