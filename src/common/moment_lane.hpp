#pragma once

#include <type_traits>
#include <utility>

#include "common/prc_replay.hpp"
#include "common/strided.hpp"
#include "common/watched_single.hpp"

/// Moments of one lane (one parameter vector), as a device thread computes them and a host loop does in tests.
namespace sojourn {

/// Orders that need no scaling of the rewards; higher ones are computed on the host.
inline constexpr int kMostLaneOrder = 4;
/// The same in single precision, whose range squares of means leave soon.
inline constexpr int kMostSingleOrder = 2;

/// Slots of one lane by purpose. `factor` holds one component's factors at a time.
struct MomentLaneSlots {
  std::int64_t rate = 0;      ///< extended rates and their reciprocals
  std::int64_t factor = 0;    ///< entries, exits and inverse pivots of the largest component
  std::int64_t solution = 0;  ///< of all orders; visits and the gradient's sums where there is one
  [[nodiscard]] SOJOURN_HD std::int64_t total() const { return rate + factor + solution; }
};

/// What every lane shares.
struct MomentLaneShape : PrcComponentBounds {
  std::int32_t order = 1;  ///< 1..kMostLaneOrder
  bool gradient = false;
  bool single = false;               ///< slots are `WatchedSingle`, no gradient; else doubles
  std::int32_t num_value_slots = 0;  ///< per order, where only the start's value is wanted
  std::int32_t num_partials = 1;     ///< row v adds to part v % num_partials of the gradient's sums
  /// The error of a derivative is this part of what it was subtracted from (`GradientJudge`).
  double share = 0;
  /// A derivative whose error may be a larger part of it than this is in doubt.
  double tolerance = 0;

  [[nodiscard]] SOJOURN_HD std::int64_t slot_bytes() const {
    return static_cast<std::int64_t>(single ? sizeof(WatchedSingle) : sizeof(double));
  }
  [[nodiscard]] SOJOURN_HD std::int64_t solution_stride(const PrcView& prc) const {
    return gradient ? prc.num_rows : num_value_slots;
  }
  [[nodiscard]] SOJOURN_HD MomentLaneSlots slots(const PrcView& prc) const {
    const std::int64_t num_extended = 1 + prc.num_rates + prc.num_forms;
    return {2 * num_extended, most_entries + 2 * std::int64_t{most_rows},
            order * ((gradient ? 2 : 1) * solution_stride(prc) + (gradient ? 2 * num_extended * num_partials : 0))};
  }
};

/// One lane's numbers by name, and the terms of its moments E[Y^k], k = 1..kOrder, in continuous time: m_1 = M r,
/// m_j = M (j r m_{j-1}); y_1 = M^T alpha, y_{a+1} = M^T R y_a. `Local` holds rates and factors, `Wide` the solutions:
/// arrays with `from`, such as `Strided`, of doubles, or of `WatchedSingle` where there is no gradient.
template <int kOrder, class Local, class Wide>
class MomentTerms {
 public:
  using Real = std::remove_cvref_t<decltype(std::declval<Local>()[0])>;
  /// In single precision a gradient would need its sums in double.
  static constexpr bool kHasGradient = std::is_same_v<Real, double>;

  /// `reward` [rows], by row.
  SOJOURN_HD MomentTerms(const PrcView& prc, const MomentLaneShape& shape, const double* reward, Local rate,
                         Wide solution)
      : prc_(prc),
        shape_(shape),
        reward_(reward),
        num_extended_(1 + prc.num_rates + prc.num_forms),
        rate_(rate),
        inverse_rate_(rate.from(num_extended_)),
        x_(solution),
        y_(solution.from(kOrder * shape.solution_stride(prc))),
        sums_(solution.from(2 * kOrder * shape.solution_stride(prc))) {}

 protected:
  struct NoKill {
    SOJOURN_HD double operator()(std::int32_t) const { return 0.0; }
  };

  template <class Phi>
  SOJOURN_HD void load(const Phi& phi) {
    extend_rates(prc_, phi, rate_);
    for (std::int32_t r = 0; r < num_extended_; ++r) inverse_rate_[r] = reciprocal(rate_[r]);
  }

  [[nodiscard]] SOJOURN_HD Wide x(int j) const { return x_.from((j - 1) * shape_.solution_stride(prc_)); }
  [[nodiscard]] SOJOURN_HD Wide y(int a) const { return y_.from((a - 1) * std::int64_t{prc_.num_rows}); }

  /// The right-hand side of m_j at row v.
  template <class Slots>
  [[nodiscard]] SOJOURN_HD Real rhs(int j, std::int32_t v) const {
    return j == 1 ? Real(reward_[v]) : (j * reward_[v]) * x(j - 1)[Slots::of_row(prc_, v)];
  }
  /// That of y_a.
  [[nodiscard]] SOJOURN_HD double visits_rhs(int a, std::int32_t v) const {
    return a == 1 ? prc_.alpha[v] : reward_[v] * y(a - 1)[v];
  }

  [[nodiscard]] SOJOURN_HD std::int64_t num_sums() const { return 2 * kOrder * std::int64_t{num_extended_}; }
  [[nodiscard]] SOJOURN_HD GradientSums<Wide> sums_of(int k, std::int32_t partial) const {
    const Wide gained = sums_.from(partial * num_sums() + (2 * k - 2) * std::int64_t{num_extended_});
    return {gained, gained.from(num_extended_)};
  }

  /// Row v's part of the gradients' sums. The pairs (y_a, m_b), a + b = k + 1, of order k have the factor k! / b!.
  SOJOURN_HD void add_sums(const PrcComponent& component, std::int32_t v) {
    const std::int32_t partial = v % shape_.num_partials;
    const bool single = has_single_rate(prc_, component);
    const std::int32_t r = single ? prc_.groups[prc_.rows[v].group_begin].rate : 0;
    for (int k = 1; k <= kOrder; ++k) {
      const GradientSums<Wide> sums = sums_of(k, partial);
      double factor = 1;
      for (int b = k; b >= 1; --b) {
        const double visits = y(k + 1 - b)[v];
        if (!single) {
          add_row_gradient_sums<double>(prc_, v, x(b), factor * visits, sums);
        } else if (r != 0) {
          add_product(sums.lost[r], visits, factor * (rhs<OwnSlots>(b, v) * inverse_rate_[r]));
        }
        factor *= b;
      }
    }
  }

  /// Adds sum number i of the other partial sums to the first.
  SOJOURN_HD void combine_sums(std::int64_t i) {
    for (std::int32_t p = 1; p < shape_.num_partials; ++p) sums_[i] += sums_[p * num_sums() + i];
  }

  /// The gradient of order k from its combined sums; whether some derivative may have lost more digits than allowed.
  template <class Gradient>
  SOJOURN_HD bool take_gradient(int k, const Gradient& gradient) {
    const GradientSums<Wide> sums = sums_of(k, 0);
    fold_forms(prc_, sums);
    bool in_doubt = false;
    for (std::int32_t r = 0; r < prc_.num_rates; ++r) {
      const double gained = sums.gained[1 + r], lost = sums.lost[1 + r];
      const double difference = gained - lost;
      gradient[(k - 1) * prc_.num_rates + r] = difference;
      // Written so that what is not a number is in doubt.
      in_doubt |= !(shape_.tolerance * absolute(difference) >= shape_.share * (gained + lost));
    }
    return in_doubt;
  }

  const PrcView& prc_;
  const MomentLaneShape& shape_;
  const double* reward_;
  std::int32_t num_extended_;
  Local rate_, inverse_rate_;
  Wide x_, y_, sums_;
};

/// Moments by one thread, component by component, and their gradients from products (decision 0001, 6). Without
/// `kFronts` the shape has none; their code takes a kilobyte of a thread's stack.
template <int kOrder, bool kFronts, class Local, class Wide>
class MomentLane : MomentTerms<kOrder, Local, Wide> {
  using Terms = MomentTerms<kOrder, Local, Wide>;
  using Terms::prc_;
  using typename Terms::Real;

 public:
  using Terms::kHasGradient;

  SOJOURN_HD MomentLane(const PrcView& prc, const MomentLaneShape& shape, const double* reward, Local rate,
                        Local factor, Wide solution)
      : Terms(prc, shape, reward, rate, solution),
        entry_(factor),
        exit_(factor.from(shape.most_entries)),
        inverse_(factor.from(shape.most_entries + shape.most_rows)) {}

  /// `phi` [num_rates], `values` [kOrder].
  template <class Phi, class Values>
  SOJOURN_HD void values(const Phi& phi, const Values& values) {
    this->load(phi);
    solve<ValueSlots>(values);
  }

  /// `gradient` [kOrder * num_rates]. Returns whether some derivative may have lost more digits than `tolerance`
  /// allows; differences then have to be solved for instead.
  template <class Phi, class Values, class Gradient>
  SOJOURN_HD bool values_and_gradient(const Phi& phi, const Values& values, const Gradient& gradient) {
    this->load(phi);
    solve<OwnSlots>(values);
    const std::int64_t num_sums = this->num_sums();
    for (std::int64_t i = 0; i < this->shape_.num_partials * num_sums; ++i) this->sums_[i] = 0;
    for (std::int32_t c = prc_.num_components - 1; c >= 0; --c) {
      const PrcComponent& component = prc_.components[c];
      factor(component);
      solve_visits(component);
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v) this->add_sums(component, v);
    }
    for (std::int64_t i = 0; i < num_sums; ++i) this->combine_sums(i);
    bool in_doubt = false;
    for (int k = 1; k <= kOrder; ++k) in_doubt |= this->take_gradient(k, gradient);
    return in_doubt;
  }

 private:
  SOJOURN_HD void factor(const PrcComponent& component) {
    if (component.row_end - component.row_begin == 1) {
      inverse_[0] = factor_single_row<Real>(prc_, prc_.rows[component.row_begin], this->rate_, this->inverse_rate_);
    } else {
      factor_component<Real, kFronts>(prc_, component, this->rate_, typename Terms::NoKill{}, entry_, exit_, inverse_,
                                      IgnorePivots{});
    }
  }

  /// Component by component, all orders while the factors are at hand.
  template <class Slots, class Values>
  SOJOURN_HD void solve(const Values& values) {
    Real mean[kOrder];
    for (int j = 0; j < kOrder; ++j) mean[j] = Real(0.0);
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      factor(component);
      for (int j = 1; j <= kOrder; ++j) {
        const Wide solution = this->x(j);
        const auto rhs = [&](std::int32_t v) { return this->template rhs<Slots>(j, v); };
        solve_component<Slots, Real>(prc_, component, this->rate_, entry_, inverse_, rhs, solution);
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
          if (prc_.alpha[v] != 0) add_product(mean[j - 1], prc_.alpha[v], solution[Slots::of_row(prc_, v)]);
        }
      }
    }
    for (int j = 0; j < kOrder; ++j) values[j] = widened(mean[j]);
  }

  SOJOURN_HD void solve_visits(const PrcComponent& component) {
    for (int a = 1; a <= kOrder; ++a) {
      const Wide visits = this->y(a);
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v) visits[v] = this->visits_rhs(a, v);
      transposed_solve_component<double>(prc_, component, this->rate_, entry_, inverse_, visits);
    }
  }

  Local entry_, exit_, inverse_;
};

/// Results of a batch of n lanes, lane-minor.
struct MomentLaneOutput {
  double* values;           ///< [order, n]; not finite where single precision has no answer
  double* gradient;         ///< [order, num_rates, n], or null
  unsigned char* in_doubt;  ///< [n], or null
};

/// The whole work of one device thread for one lane of a batch. `phi` [num_rates, n].
template <int kOrder, bool kFronts, class Local, class Wide>
SOJOURN_HD inline void moment_lane(const PrcView& prc, const MomentLaneShape& shape, const double* reward,
                                   const double* phi, std::int64_t num_lanes, std::int64_t lane, Local local,
                                   Wide solution, const MomentLaneOutput& output) {
  using Lane = MomentLane<kOrder, kFronts, Local, Wide>;
  Lane work(prc, shape, reward, local, local.from(shape.slots(prc).rate), solution);
  const Strided<const double> own_phi{phi + lane, num_lanes};
  const Strided<double> values{output.values + lane, num_lanes};
  if constexpr (Lane::kHasGradient) {
    if (shape.gradient) {
      const Strided<double> gradient{output.gradient + lane, num_lanes};
      output.in_doubt[lane] = work.values_and_gradient(own_phi, values, gradient) ? 1 : 0;
      return;
    }
  }
  work.values(own_phi, values);
}

}  // namespace sojourn
