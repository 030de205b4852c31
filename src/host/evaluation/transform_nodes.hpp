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
        solution_{PackArray<Real>(prc_.num_rows), PackArray<Real>(prc_.num_rows)},
        again_(prc_.num_rows),
        visits_(prc_.num_rows),
        gradient_(1 + prc_.num_rates + prc_.num_forms),
        size_(gradient_.size()) {}

  /// Bytes that factors and so many solutions fill; differences, which few nodes take, and derivatives by the shift are
  /// not among them.
  static std::int64_t num_bytes(const PrcArrays& prc, int num_solutions) {
    constexpr int kOfFactor = 2;  // exit and inverse
    const std::size_t by_row = static_cast<std::size_t>(kOfFactor + num_solutions) * prc.rows.size();
    return static_cast<std::int64_t>(sizeof(Real) * (prc.entry_column.size() + by_row));
  }

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
  /// The density's or the survival function's transform.
  Real solve(bool survival) {
    const double* gain = gain_of(survival);
    solve_rows([gain](std::int32_t v) { return Real(gain[v]); }, solution_[survival]);
    return dot_start(solution_[survival]);
  }
  /// The same with the differences that `gradient` needs.
  Real solve_differences(bool survival) {
    std::optional<SolutionArrays<Real>>& solution = differences_of_[survival];
    if (!solution) solution.emplace(*arrays_);
    if (!rises_) rises_.emplace(differences_->get());
    const ComponentRises<Real*> rises = rises_->view();
    const double* gain = gain_of(survival);
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      solve_differences_component<Real>(
          prc_, component, particle_.rate, entry_.data() + component.entry_begin, exit_.data() + component.row_begin,
          inverse_.data() + component.row_begin, [gain](std::int32_t v) { return Real(gain[v]); }, kill(),
          at_absorption(survival), solution->view(), rises);
    }
    return dot_start(solution->view().x);
  }
  /// Value and the two next solutions M R x, M R M R x, for derivatives by the shift.
  void solve_derivatives(bool survival, Real& value, Real& first, Real& second) {
    PackArray<Real>& x = solution_[survival];
    value = solve(survival);
    solve_rows([&](std::int32_t v) { return particle_.reward[v] * x[v]; }, again_);
    first = dot_start(again_);
    solve_rows([&](std::int32_t v) { return particle_.reward[v] * again_[v]; }, x);
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
    const Differences<Real*> solution = differences_of_[survival]->view();
    return gather_gradient(survival,
                           [&] { add_gradient<Real>(prc_, solution.slope, visits_.data(), gradient_.data()); });
  }
  /// The same from the solution alone, which loses what products lose; `gradient_size` says of what size they were.
  const PackArray<Real>& gradient_by_products(bool survival) {
    for (Size& size : size_) size = Size(0.0);
    gather_gradient(survival, [&] {
      add_gradient_products<Real>(prc_, solution_[survival].data(), visits_.data(), at_absorption(survival),
                                  gradient_.data(), size_.data());
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
  void solve_rows(Rhs&& rhs, PackArray<Real>& x) {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      solve_component<OwnSlots, Real>(prc_, component, particle_.rate, entry_.data() + component.entry_begin,
                                      inverse_.data() + component.row_begin, rhs, x.data());
    }
  }
  /// The right-hand side of a transform, [rows].
  [[nodiscard]] const double* gain_of(bool survival) const { return survival ? particle_.reward : particle_.exit; }
  /// The transform at absorption; where states earn nothing, `add_instant_gradient` has the density's part.
  [[nodiscard]] double at_absorption(bool survival) const {
    return survival || particle_.instant != nullptr ? 0.0 : 1.0;
  }
  template <class AddGradient>
  const PackArray<Real>& gather_gradient(bool survival, AddGradient&& add) {
    for (Real& sum : gradient_) sum = Real(0.0);
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
  PackArray<Real> entry_, exit_, inverse_;
  PackArray<Real> solution_[2];  ///< of the density, of the survival function
  PackArray<Real> again_, visits_, gradient_;
  PackArray<Size> size_;
  std::optional<SolutionArrays<Real>> differences_of_[2];
  std::optional<RiseArrays<Real>> rises_;
};

}  // namespace sojourn
