#pragma once

#include <cstdint>
#include <type_traits>

#include "common/host_device.hpp"
#include "common/prc_view.hpp"

/// Replay of a PRC program for one lane. `Real` is double, a pack of doubles, a complex of them, or a scaled number;
/// `Rate` is the type of the rates (double where all lanes share one parameter vector). Arrays are anything indexable,
/// so that a device lane can pass a strided view. Every sum of the factorisation adds non-negative numbers (GTH).
namespace sojourn {

/// acc += a * b; packs, complex and scaled numbers overload it.
SOJOURN_HD inline void add_product(double& acc, double a, double b) { acc += a * b; }
/// 1 / a.
SOJOURN_HD inline double reciprocal(double a) { return 1.0 / a; }

/// |a| < |b|, and the choice it makes; packs answer lane by lane.
SOJOURN_HD inline bool smaller(double a, double b) { return (a < 0 ? -a : a) < (b < 0 ? -b : b); }
template <class Real>
SOJOURN_HD inline const Real& select(bool take_first, const Real& first, const Real& second) {
  return take_first ? first : second;
}

/// Sees every pivot; the default ignores them.
struct IgnorePivots {
  template <class Real>
  SOJOURN_HD void see(const Real&) const {}
};

/// Extended rates: [0] = 1, [1 + k] = phi_k, then the forms.
template <class PhiArray, class RateArray>
SOJOURN_HD inline void extend_rates(const PrcView& prc, const PhiArray& phi, RateArray&& rate) {
  using Rate = std::remove_cvref_t<decltype(rate[0])>;
  rate[0] = Rate(1.0);
  for (std::int32_t k = 0; k < prc.num_rates; ++k) rate[1 + k] = phi[k];
  for (std::int32_t f = 0; f < prc.num_forms; ++f) {
    Rate sum(0.0);
    for (std::int64_t t = prc.forms[f].term_begin; t < prc.forms[f].term_end; ++t) {
      add_product(sum, prc.form_terms[t].coefficient, rate[prc.form_terms[t].rate]);
    }
    rate[1 + prc.num_rates + f] = sum;
  }
}

/// Weight out of the component of one row: a short dot with the rates.
template <class Real, class RateArray>
SOJOURN_HD inline Real external_weight(const PrcView& prc, const PrcRow& row, const RateArray& rate) {
  Real sum(0.0);
  for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
    add_product(sum, prc.groups[g].total, rate[prc.groups[g].rate]);
  }
  return sum;
}

/// Factors one component. `kill(v)` is the extra exit rate of row v. Local arrays: `entry` [entries of the component],
/// `inverse` [rows of the component] = 1 / D_v, `exit` [rows of the component] scratch.
template <class Real, class RateArray, class Kill, class RealArray, class PivotWatch>
SOJOURN_HD inline void factor_component(const PrcView& prc, const PrcComponent& component, const RateArray& rate,
                                        Kill&& kill, RealArray&& entry, RealArray&& exit, RealArray&& inverse,
                                        PivotWatch&& pivots) {
  if (component.row_end - component.row_begin == 1) {
    const Real pivot = kill(component.row_begin) + external_weight<Real>(prc, prc.rows[component.row_begin], rate);
    pivots.see(pivot);
    inverse[0] = reciprocal(pivot);
    return;
  }
  const std::int64_t base = component.entry_begin;
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    const PrcRow& row = prc.rows[v];
    for (std::int64_t e = row.entry_begin; e < row.entry_end; ++e) {
      Real sum(0.0);
      for (std::int64_t w = prc.entry_weight_begin[e]; w < prc.entry_weight_begin[e + 1]; ++w) {
        add_product(sum, prc.entry_weights[w].coefficient, rate[prc.entry_weights[w].rate]);
      }
      for (std::int64_t p = prc.entry_pair_begin[e]; p < prc.entry_pair_begin[e + 1]; ++p) {
        add_product(sum, entry[prc.pairs[p].a], entry[prc.pairs[p].b]);
      }
      entry[e - base] = sum;
    }
    Real out = kill(v) + external_weight<Real>(prc, row, rate);
    for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
      add_product(out, entry[e - base], exit[prc.entry_column[e] - component.row_begin]);
    }
    Real pivot = out;
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) pivot += entry[e - base];
    pivots.see(pivot);
    const Real scale = reciprocal(pivot);
    inverse[v - component.row_begin] = scale;
    exit[v - component.row_begin] = out * scale;
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) entry[e - base] = entry[e - base] * scale;
  }
}

/// Solves A x = r on one component once its successors are solved. `rhs(v)` gives r_v; `x[slot[v]]` holds the solution.
template <class Real, class RateArray, class Rhs, class FactorArray, class RealArray, class SlotArray>
SOJOURN_HD inline void solve_component(const PrcView& prc, const PrcComponent& component, const RateArray& rate,
                                       const FactorArray& entry, const FactorArray& inverse, Rhs&& rhs, RealArray&& x,
                                       const SlotArray& slot) {
  const std::int64_t base = component.entry_begin;
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    const PrcRow& row = prc.rows[v];
    Real acc = rhs(v);
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
      const PrcGroup& group = prc.groups[g];
      Real sum(0.0);
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        add_product(sum, prc.terms[t].coefficient, x[slot[prc.terms[t].column]]);
      }
      add_product(acc, rate[group.rate], sum);
    }
    for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
      add_product(acc, entry[e - base], x[slot[prc.entry_column[e]]]);
    }
    x[slot[v]] = acc * inverse[v - component.row_begin];
  }
  for (std::int32_t v = component.row_end - 2; v >= component.row_begin; --v) {
    const PrcRow& row = prc.rows[v];
    Real acc = x[slot[v]];
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
      add_product(acc, entry[e - base], x[slot[prc.entry_column[e]]]);
    }
    x[slot[v]] = acc;
  }
}

/// Solves A^T y = u on one component once its predecessors are done, and passes what flows on to its successors.
/// `y` [rows] holds u on entry (contributions of predecessors included) and the solution on return.
template <class Real, class RateArray, class FactorArray, class RealArray>
SOJOURN_HD inline void transposed_solve_component(const PrcView& prc, const PrcComponent& component,
                                                  const RateArray& rate, const FactorArray& entry,
                                                  const FactorArray& inverse, RealArray&& y) {
  const std::int64_t base = component.entry_begin;
  for (std::int32_t v = component.row_begin; v < component.row_end - 1; ++v) {
    const PrcRow& row = prc.rows[v];
    const Real from = y[v];
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
      add_product(y[prc.entry_column[e]], entry[e - base], from);
    }
  }
  for (std::int32_t v = component.row_end - 1; v >= component.row_begin; --v) {
    const PrcRow& row = prc.rows[v];
    const Real value = y[v] * inverse[v - component.row_begin];
    y[v] = value;
    for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
      add_product(y[prc.entry_column[e]], entry[e - base], value);
    }
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
      const PrcGroup& group = prc.groups[g];
      if (group.term_begin == group.term_end) continue;
      Real flow(0.0);
      add_product(flow, rate[group.rate], value);
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        add_product(y[prc.terms[t].column], prc.terms[t].coefficient, flow);
      }
    }
  }
}

/// A solution together with its differences, [rows] each. A gradient needs x_j - x_i, and subtracting two solutions
/// loses everything where a fast transition makes them nearly equal; these differences have equations of their own.
template <class RealArray>
struct Differences {
  RealArray x;        ///< the solution
  RealArray shifted;  ///< x_v - x_reference, the reference of v's component (0 where it has none)
  RealArray local;    ///< x_v - x_root, the root being the last row of v's component; unused in components of one row
};

/// `solve_component` with differences. `out(v)` is the part of row v's exit rate that leads to no row: kill plus
/// absorbing weight. With e the exits of the factors, z the forward solution of the shifted problem and p the upper
/// factors: local_v = z_v - e_v shifted_root + sum_j p_vj local_j, because the p of a row and its e sum to one.
template <class Real, class RateArray, class Rhs, class Kill, class FactorArray, class RealArray>
SOJOURN_HD inline void solve_differences_component(const PrcView& prc, const PrcComponent& component,
                                                   const RateArray& rate, const FactorArray& entry,
                                                   const FactorArray& exit, const FactorArray& inverse, Rhs&& rhs,
                                                   Kill&& kill, Differences<RealArray> solution) {
  const std::int64_t base = component.entry_begin;
  const std::int32_t root = component.row_end - 1;
  const Real reference = component.reference < 0 ? Real(0.0) : solution.x[component.reference];
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    const PrcRow& row = prc.rows[v];
    Real acc = rhs(v);
    Real out = kill(v);
    Real shifted(0.0);
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
      const PrcGroup& group = prc.groups[g];
      Real sum(0.0), sum_shifted(0.0);
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        const PrcTerm term = prc.terms[t];
        add_product(sum, term.coefficient, solution.x[term.column]);
        if (term.column != component.reference) {
          add_product(sum_shifted, term.coefficient, solution.x[term.column] - reference);
        }
      }
      add_product(acc, rate[group.rate], sum);
      add_product(shifted, rate[group.rate], sum_shifted);
      add_product(out, group.absorbing, rate[group.rate]);
    }
    shifted = shifted + (rhs(v) - out * reference);
    for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
      add_product(acc, entry[e - base], solution.x[prc.entry_column[e]]);
      add_product(shifted, entry[e - base], solution.shifted[prc.entry_column[e]]);
    }
    solution.x[v] = acc * inverse[v - component.row_begin];
    solution.shifted[v] = shifted * inverse[v - component.row_begin];
  }
  if (root == component.row_begin) return;
  solution.local[root] = Real(0.0);
  const Real shifted_root = solution.shifted[root];
  for (std::int32_t v = root - 1; v >= component.row_begin; --v) {
    const PrcRow& row = prc.rows[v];
    Real acc = solution.x[v];
    Real shifted = solution.shifted[v];
    Real local = shifted - exit[v - component.row_begin] * shifted_root;
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
      const std::int32_t column = prc.entry_column[e];
      add_product(acc, entry[e - base], solution.x[column]);
      add_product(shifted, entry[e - base], solution.shifted[column]);
      add_product(local, entry[e - base], solution.local[column]);
    }
    solution.x[v] = acc;
    solution.shifted[v] = shifted;
    solution.local[v] = local;
  }
}

/// gradient[rate] += y_v * sum over the edges of row v of coefficient * (x_target - x_v), with x = `absorbing` at
/// absorption. The difference is taken in whichever of x, shifted and local has the smaller value at v, so that it
/// never loses more digits than the closest of the three reference points allows.
template <class Real, class RealArray, class GradientArray>
SOJOURN_HD inline void add_row_gradient(const PrcView& prc, std::int32_t v, const Real& reference,
                                        const Differences<RealArray>& solution, double absorbing, const Real& y,
                                        GradientArray&& gradient) {
  const PrcRow& row = prc.rows[v];
  const auto near_reference = smaller(solution.shifted[v], solution.x[v]);
  const Real offset = select(near_reference, reference, Real(0.0));
  const Real own = select(near_reference, solution.shifted[v], solution.x[v]);
  for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
    const PrcGroup& group = prc.groups[g];
    if (group.rate == 0) continue;
    Real sum(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      add_product(sum, prc.terms[t].coefficient, solution.x[prc.terms[t].column] - offset);
    }
    if (group.absorbing != 0) add_product(sum, group.absorbing, Real(absorbing) - offset);
    add_product(sum, -group.total, own);
    add_product(gradient[group.rate], y, sum);
  }
  if (row.group_middle == row.group_end) return;
  const auto near_root = smaller(solution.local[v], solution.x[v]);
  const Real own_local = select(near_root, solution.local[v], solution.x[v]);
  for (std::int64_t g = row.group_middle; g < row.group_end; ++g) {
    const PrcGroup& group = prc.groups[g];
    if (group.rate == 0) continue;
    Real sum(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      const std::int32_t column = prc.terms[t].column;
      add_product(sum, prc.terms[t].coefficient, select(near_root, solution.local[column], solution.x[column]));
    }
    add_product(sum, -group.total, own_local);
    add_product(gradient[group.rate], y, sum);
  }
}

/// The gradient of the pair (y, solution) over all edges of one component.
template <class Real, class RealArray, class YArray, class GradientArray>
SOJOURN_HD inline void add_component_gradient(const PrcView& prc, const PrcComponent& component,
                                              const Differences<RealArray>& solution, double absorbing, const YArray& y,
                                              GradientArray&& gradient) {
  const Real reference = component.reference < 0 ? Real(0.0) : solution.x[component.reference];
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    add_row_gradient<Real>(prc, v, reference, solution, absorbing, y[v], gradient);
  }
}

/// Distributes the gradients of the forms over the rates they are made of; gradient is by extended rate.
template <class RealArray>
SOJOURN_HD inline void fold_forms(const PrcView& prc, RealArray&& gradient) {
  for (std::int32_t f = 0; f < prc.num_forms; ++f) {
    for (std::int64_t t = prc.forms[f].term_begin; t < prc.forms[f].term_end; ++t) {
      add_product(gradient[prc.form_terms[t].rate], prc.form_terms[t].coefficient, gradient[1 + prc.num_rates + f]);
    }
  }
}

}  // namespace sojourn
