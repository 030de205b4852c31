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

/// gradient[rate] += y_v * sum over the row's edges of coefficient * (x_target - x_v), with x = `absorbing` at
/// absorption.
template <class Real, class XArray, class RealArray>
SOJOURN_HD inline void add_row_gradient(const PrcView& prc, std::int32_t v, const XArray& x, double absorbing,
                                        const Real& y, RealArray&& gradient) {
  const PrcRow& row = prc.rows[v];
  for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
    const PrcGroup& group = prc.groups[g];
    if (group.rate == 0) continue;
    Real sum(group.absorbing * absorbing);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      add_product(sum, prc.terms[t].coefficient, x[prc.terms[t].column]);
    }
    add_product(sum, -group.total, x[v]);
    add_product(gradient[group.rate], y, sum);
  }
}

/// `transposed_solve_component` and, in the same pass over the edges, the gradient of one pair (y, x): each coefficient
/// and column is read once for both. gradient[rate] += sum over edges of y_v coefficient (x_target - x_v).
template <class Real, class RateArray, class FactorArray, class RealArray, class XArray, class GradientArray>
SOJOURN_HD inline void transposed_gradient_component(const PrcView& prc, const PrcComponent& component,
                                                     const RateArray& rate, const FactorArray& entry,
                                                     const FactorArray& inverse, RealArray&& y, const XArray& x,
                                                     double absorbing, GradientArray&& gradient) {
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
    for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
      const PrcGroup& group = prc.groups[g];
      Real sum(group.absorbing * absorbing);
      if (g < row.group_middle) {
        Real flow(0.0);
        add_product(flow, rate[group.rate], value);
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
          const PrcTerm term = prc.terms[t];
          add_product(sum, term.coefficient, x[term.column]);
          add_product(y[term.column], term.coefficient, flow);
        }
      } else {
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
          add_product(sum, prc.terms[t].coefficient, x[prc.terms[t].column]);
        }
      }
      add_product(sum, -group.total, x[v]);
      add_product(gradient[group.rate], value, sum);
    }
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
