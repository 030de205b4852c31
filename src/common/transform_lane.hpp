#pragma once

#include "common/lane_complex.hpp"
#include "common/prc_replay.hpp"
#include "common/strided.hpp"

/// Laplace transforms of one lane, a pair (particle, contour node), as a device thread computes them and a host loop
/// does in tests. Continuous time, and every transient state earns: nothing is passed through.
namespace sojourn {

/// A thread's tile: half the reads of a multiply-add by itself, and what 168 registers leave room for.
template <>
struct FrontTile<LaneComplex> {
  static constexpr int kRows = 2, kColumns = 2;
};

/// Complex slots of one lane by purpose. `factor` holds one component's factors at a time.
struct TransformLaneSlots {
  std::int64_t factor = 0;    ///< entries, exits and inverse pivots of the largest component
  std::int64_t solution = 0;  ///< of every transform; visits and the gradient's sums where there is one
  [[nodiscard]] SOJOURN_HD std::int64_t total() const { return factor + solution; }
};

/// What every lane shares.
struct TransformLaneShape : PrcComponentBounds {
  bool density = false, survival = false;  ///< transforms D, G of `TransformReplay`; at least one
  bool gradient = false;
  std::int32_t num_value_slots = 0;  ///< per transform, where only the start's value is wanted
  std::int32_t num_partials = 1;     ///< row v adds to part v % num_partials of the gradient's sums

  [[nodiscard]] SOJOURN_HD int num_transforms() const { return (density ? 1 : 0) + (survival ? 1 : 0); }
  /// Whether transform number `t` is G. D comes first.
  [[nodiscard]] SOJOURN_HD bool is_survival(int t) const { return t == 1 || !density; }
  [[nodiscard]] SOJOURN_HD std::int64_t solution_stride(const PrcView& prc) const {
    return gradient ? prc.num_rows : num_value_slots;
  }
  [[nodiscard]] SOJOURN_HD TransformLaneSlots slots(const PrcView& prc) const {
    const std::int64_t num_extended = 1 + prc.num_rates + prc.num_forms;
    return {most_entries + 2 * std::int64_t{most_rows},
            num_transforms() * solution_stride(prc) +
                (gradient ? prc.num_rows + (num_transforms() + 1) * num_extended * num_partials : 0)};
  }
};

/// Extended rates and their reciprocals, [num_extended, num_particles] each: real, and shared by a particle's nodes.
struct LaneRates {
  const double* rate;
  const double* inverse_rate;
};

/// The nodes of a batch: node k of particle i is nodes[k] - tilts[window[k], i].
struct LaneNodes {
  const LaneComplex* nodes;    ///< [num_nodes]
  const std::int32_t* window;  ///< [num_nodes]
  const double* tilts;         ///< [windows, num_particles]

  [[nodiscard]] SOJOURN_HD LaneComplex at(std::int64_t node, std::int64_t particle, std::int64_t num_particles) const {
    return LaneComplex(nodes[node].re - tilts[window[node] * num_particles + particle], nodes[node].im);
  }
};

/// Results of n lanes, lane-minor; lane = node * num_particles + particle.
struct TransformLaneOutput {
  LaneComplex* values;     ///< [num_transforms, n]
  LaneComplex* gradients;  ///< [num_transforms, num_rates, n], or null
  /// [num_transforms, num_rates, n] what the terms of each derivative add up to without signs, or null. Rounding leaves
  /// an error of a few epsilon times this.
  double* sizes;
};

/// One lane's numbers by name, and the terms of its transforms at one node and of their gradients from products: dF =
/// sum c y_i (x_j - x_i). `Wide` holds the solutions: an array of `LaneComplex` with `from`, such as `Strided`.
template <class Rates, class Wide>
class TransformTerms {
 public:
  /// `reward` [rows], by row, all > 0.
  SOJOURN_HD TransformTerms(const PrcView& prc, const TransformLaneShape& shape, const double* reward, Rates rate,
                            const LaneComplex& shift, Wide solution)
      : prc_(prc),
        shape_(shape),
        reward_(reward),
        rate_(rate),
        shift_(shift),
        x_(solution),
        y_(solution.from(shape.num_transforms() * shape.solution_stride(prc))),
        sums_(y_.from(prc.num_rows)) {}

 protected:
  [[nodiscard]] SOJOURN_HD LaneComplex kill(std::int32_t v) const { return reward_[v] * shift_; }
  [[nodiscard]] SOJOURN_HD Wide x(int t) const { return x_.from(t * shape_.solution_stride(prc_)); }

  /// The right-hand side of transform t at row v.
  [[nodiscard]] SOJOURN_HD LaneComplex rhs(int t, std::int32_t v) const {
    return LaneComplex(shape_.is_survival(t) ? reward_[v] : absorbing_weight<double>(prc_, prc_.rows[v], rate_));
  }

  [[nodiscard]] SOJOURN_HD std::int64_t num_sums() const {
    return (shape_.num_transforms() + 1) * std::int64_t{1 + prc_.num_rates + prc_.num_forms};
  }
  [[nodiscard]] SOJOURN_HD Wide sums_of(int t, std::int32_t partial) const {
    return sums_.from(partial * num_sums() + t * std::int64_t{1 + prc_.num_rates + prc_.num_forms});
  }
  /// Real numbers: those of the first transform in `re`, of the second in `im`.
  [[nodiscard]] SOJOURN_HD Wide size_sums(std::int32_t partial) const {
    return sums_of(shape_.num_transforms(), partial);
  }

  /// Row v's part of the gradient's sums of transform t.
  template <class InverseRates>
  SOJOURN_HD void add_sums(const InverseRates& inverse_rate, int t, std::int32_t v) {
    const std::int32_t partial = v % shape_.num_partials;
    const Wide solution = x(t), sums = sums_of(t, partial), sizes = size_sums(partial);
    const bool survival = shape_.is_survival(t);
    const auto add = [&](std::int32_t rate, const LaneComplex& visits, const LaneComplex& slope, double size) {
      add_product(sums[rate], visits, slope);
      LaneComplex& sum = sizes[rate];
      (t == 0 ? sum.re : sum.im) += size_of(visits) * size;
    };
    const PrcRow& row = prc_.rows[v];
    const LaneComplex visits = y_[v], own = solution[v];
    const double own_size = size_of(own);
    if (row.group_end - row.group_begin == 1) {
      // A row with a single rate: by its own equation rate * sum c (x_j - x_v) = (s r) x_v, less r_v for G.
      const PrcGroup& group = prc_.groups[row.group_begin];
      if (group.rate == 0) return;
      const double inverse = inverse_rate[group.rate];
      const LaneComplex stopped = kill(v) * own;
      if (!survival) {
        add(group.rate, visits, inverse * stopped, inverse * size_of(stopped));
        return;
      }
      const double size = inverse * (size_of(stopped) + reward_[v]);
      if (size < 2 * group.total * own_size) {
        add(group.rate, visits, inverse * LaneComplex(stopped.re - reward_[v], stopped.im), size);
        return;
      }
    }
    for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
      const PrcGroup& group = prc_.groups[g];
      if (group.rate == 0) continue;
      LaneComplex target(survival ? 0.0 : group.absorbing);
      for (std::int64_t k = group.term_begin; k < group.term_end; ++k)
        add_product(target, prc_.terms[k].coefficient, solution[prc_.terms[k].column]);
      const double size = size_of(target) + group.total * own_size;
      add_product(target, -group.total, own);
      add(group.rate, visits, target, size);
    }
  }

  /// Adds sum number i of the other partial sums to the first.
  SOJOURN_HD void combine_sums(std::int64_t i) {
    for (std::int32_t p = 1; p < shape_.num_partials; ++p) sums_[i] += sums_[p * num_sums() + i];
  }

  /// From the combined sums; `gradients` and `sizes` [num_transforms * num_rates].
  template <class Gradients, class Sizes>
  SOJOURN_HD void take_gradients(const Gradients& gradients, const Sizes& sizes) {
    fold_sizes();
    for (int t = 0; t < shape_.num_transforms(); ++t) {
      const Wide sums = sums_of(t, 0), size_sums = this->size_sums(0);
      fold_forms(prc_, sums);
      for (std::int32_t r = 0; r < prc_.num_rates; ++r) {
        gradients[t * prc_.num_rates + r] = sums[1 + r];
        sizes[t * prc_.num_rates + r] = t == 0 ? size_sums[1 + r].re : size_sums[1 + r].im;
      }
    }
  }

  const PrcView& prc_;
  const TransformLaneShape& shape_;
  const double* reward_;
  Rates rate_;
  LaneComplex shift_;
  Wide x_, y_, sums_;

 private:
  /// Sizes of the forms' sums go to the rates they are made of, coefficients without signs.
  SOJOURN_HD void fold_sizes() {
    const Wide sizes = size_sums(0);
    for (std::int32_t f = 0; f < prc_.num_forms; ++f) {
      for (std::int64_t k = prc_.forms[f].term_begin; k < prc_.forms[f].term_end; ++k) {
        const PrcFormTerm& term = prc_.form_terms[k];
        add_product(sizes[term.rate], absolute(term.coefficient), sizes[1 + prc_.num_rates + f]);
      }
    }
  }
};

/// Transforms by one thread, component by component. `Local` holds the factors. Without `kFronts` the shape has none;
/// their code takes a kilobyte of a thread's stack.
template <bool kFronts, class Rates, class Local, class Wide>
class TransformLane : TransformTerms<Rates, Wide> {
  using Terms = TransformTerms<Rates, Wide>;
  using Terms::prc_;
  using Terms::shape_;

 public:
  SOJOURN_HD TransformLane(const PrcView& prc, const TransformLaneShape& shape, const double* reward, Rates rate,
                           const LaneComplex& shift, Local factor, Wide solution)
      : Terms(prc, shape, reward, rate, shift, solution),
        entry_(factor),
        exit_(factor.from(shape.most_entries)),
        inverse_(factor.from(shape.most_entries + shape.most_rows)) {}

  /// `values` [num_transforms].
  template <class Values>
  SOJOURN_HD void values(const Values& values) {
    solve<ValueSlots>(values);
  }

  /// `gradients` and `sizes` [num_transforms * num_rates].
  template <class InverseRates, class Values, class Gradients, class Sizes>
  SOJOURN_HD void values_and_gradients(const InverseRates& inverse_rate, const Values& values,
                                       const Gradients& gradients, const Sizes& sizes) {
    solve<OwnSlots>(values);
    const std::int64_t num_sums = this->num_sums();
    for (std::int64_t i = 0; i < shape_.num_partials * num_sums; ++i) this->sums_[i] = LaneComplex(0.0);
    for (std::int32_t c = prc_.num_components - 1; c >= 0; --c) {
      const PrcComponent& component = prc_.components[c];
      factor(component);
      solve_visits(component);
      for (int t = 0; t < shape_.num_transforms(); ++t)
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v) this->add_sums(inverse_rate, t, v);
    }
    for (std::int64_t i = 0; i < num_sums; ++i) this->combine_sums(i);
    this->take_gradients(gradients, sizes);
  }

 private:
  SOJOURN_HD void factor(const PrcComponent& component) {
    factor_component<LaneComplex, kFronts>(
        prc_, component, this->rate_, [this](std::int32_t v) { return this->kill(v); }, entry_, exit_, inverse_,
        IgnorePivots{});
  }

  /// All transforms of a component while its factors are at hand.
  template <class Slots, class Values>
  SOJOURN_HD void solve(const Values& values) {
    LaneComplex sum[2] = {LaneComplex(0.0), LaneComplex(0.0)};
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      factor(component);
      for (int t = 0; t < shape_.num_transforms(); ++t) {
        const Wide solution = this->x(t);
        const auto rhs = [&](std::int32_t v) { return this->rhs(t, v); };
        solve_component<Slots, LaneComplex>(prc_, component, this->rate_, entry_, inverse_, rhs, solution);
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
          if (prc_.alpha[v] == 0) continue;
          const LaneComplex& value = solution[Slots::of_row(prc_, v)];
          // Chosen rather than indexed, so that both stay in registers.
          if (t == 0) {
            add_product(sum[0], prc_.alpha[v], value);
          } else {
            add_product(sum[1], prc_.alpha[v], value);
          }
        }
      }
    }
    values[0] = sum[0];
    if (shape_.num_transforms() == 2) values[1] = sum[1];
  }

  SOJOURN_HD void solve_visits(const PrcComponent& component) {
    for (std::int32_t v = component.row_begin; v < component.row_end; ++v) this->y_[v] = LaneComplex(prc_.alpha[v]);
    transposed_solve_component<LaneComplex>(prc_, component, this->rate_, entry_, inverse_, this->y_);
  }

  Local entry_, exit_, inverse_;
};

/// The whole work of one device thread for one lane of a batch.
template <bool kFronts, class Local, class Wide>
SOJOURN_HD inline void transform_lane(const PrcView& prc, const TransformLaneShape& shape, const double* reward,
                                      const LaneRates& rates, const LaneNodes& nodes, std::int64_t num_particles,
                                      std::int64_t num_lanes, std::int64_t lane, Local factor, Wide solution,
                                      const TransformLaneOutput& output) {
  const std::int64_t node = lane / num_particles, particle = lane - node * num_particles;
  const Strided<const double> rate{rates.rate + particle, num_particles};
  TransformLane<kFronts, Strided<const double>, Local, Wide> work(
      prc, shape, reward, rate, nodes.at(node, particle, num_particles), factor, solution);
  const Strided<LaneComplex> values{output.values + lane, num_lanes};
  if (!shape.gradient) {
    work.values(values);
    return;
  }
  const Strided<LaneComplex> gradients{output.gradients + lane, num_lanes};
  const Strided<double> sizes{output.sizes + lane, num_lanes};
  const Strided<const double> inverse_rate{rates.inverse_rate + particle, num_particles};
  work.values_and_gradients(inverse_rate, values, gradients, sizes);
}

}  // namespace sojourn
