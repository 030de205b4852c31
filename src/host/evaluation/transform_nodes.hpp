#pragma once

#include <cstdint>
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
 public:
  explicit TransformNodes(const Prc& prc)
      : prc_(prc.arrays().view()),
        entry_(prc.arrays().entry_column.size()),
        exit_(prc_.num_rows),
        inverse_(prc_.num_rows),
        density_(prc_.num_rows),
        survival_(prc_.num_rows),
        visits_(prc_.num_rows),
        gradient_(1 + prc_.num_rates + prc_.num_forms),
        identity_(prc_.num_rows) {
    std::iota(identity_.begin(), identity_.end(), 0);
  }

  template <class PivotWatch>
  void factor(const TransformParticle& particle, const Real& shift, PivotWatch&& pivots) {
    particle_ = particle;
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      factor_component<Real>(
          prc_, component, particle.rate, [&](std::int32_t v) { return particle.reward[v] * shift; },
          entry_.data() + component.entry_begin, exit_.data() + component.row_begin,
          inverse_.data() + component.row_begin, pivots);
    }
  }
  template <class Rhs>
  void solve(Rhs&& rhs, PackArray<Real>& x) {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      solve_component<Real>(prc_, component, particle_.rate, entry_.data() + component.entry_begin,
                            inverse_.data() + component.row_begin, rhs, x.data(), identity_.data());
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
  /// Value and the two next solutions M R x, M R M R x, for derivatives by the shift.
  void solve_derivatives(bool survival, Real& value, Real& first, Real& second) {
    PackArray<Real>& x = survival ? survival_ : density_;
    value = survival ? solve_survival() : solve_density();
    solve([&](std::int32_t v) { return particle_.reward[v] * x[v]; }, visits_);
    first = dot_start(visits_);
    solve([&](std::int32_t v) { return particle_.reward[v] * visits_[v]; }, x);
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
  /// Gradient by extended rate of the density or survival transform; needs the solution and `solve_visits`.
  const PackArray<Real>& gradient(bool survival) {
    for (std::int32_t k = 0; k < 1 + prc_.num_rates + prc_.num_forms; ++k) gradient_[k] = Real(0.0);
    const PackArray<Real>& x = survival ? survival_ : density_;
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) {
      if (particle_.instant == nullptr) {
        add_row_gradient<Real>(prc_, v, x.data(), survival ? 0.0 : 1.0, visits_[v], gradient_.data());
        continue;
      }
      const Real all_visits = visits_[v] + Real(particle_.visits[v]);
      add_row_gradient<Real>(prc_, v, x.data(), 0.0, all_visits, gradient_.data());
      if (!survival) add_instant_gradient(v);
    }
    fold_forms(prc_, gradient_.data());
    return gradient_;
  }

 private:
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
  Real dot_start(const PackArray<Real>& x) const {
    Real sum(0.0);
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) {
      if (prc_.alpha[v] != 0) add_product(sum, prc_.alpha[v], x[v]);
    }
    return sum;
  }

  PrcView prc_;
  TransformParticle particle_;
  PackArray<Real> entry_, exit_, inverse_, density_, survival_, visits_, gradient_;
  std::vector<std::int32_t> identity_;
};

}  // namespace sojourn
