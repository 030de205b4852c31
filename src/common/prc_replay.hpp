#pragma once

#include <cstdint>
#include <type_traits>

#include "common/form_sum.hpp"
#include "common/host_device.hpp"
#include "common/prc_number.hpp"
#include "common/prc_supernode.hpp"
#include "common/prc_view.hpp"
#include "common/strided.hpp"

/// Replay of a PRC program for one lane. `Real` is double, a pack of doubles, a complex of them, or a scaled number;
/// `Rate` is the type of the rates (double where all lanes share one parameter vector). Arrays are anything indexable,
/// so that a device lane can pass a strided view. Every sum of the factorisation adds non-negative numbers (GTH).
namespace sojourn {

/// Sees every pivot; the default ignores them.
struct IgnorePivots {
  template <class Real>
  SOJOURN_HD void see(const Real&) const {}
};

/// Where solutions stand in arrays that hold every row.
struct OwnSlots {
  SOJOURN_HD static std::int32_t of_row(const PrcView&, std::int32_t v) { return v; }
  SOJOURN_HD static std::int32_t of_term(const PrcTerm& term) { return term.column; }
  SOJOURN_HD static std::int32_t of_entry(const PrcView& prc, std::int64_t e) { return prc.entry_column[e]; }
};

/// Where they stand if only the start's value is wanted: slots are used again once nothing reads them.
struct ValueSlots {
  SOJOURN_HD static std::int32_t of_row(const PrcView& prc, std::int32_t v) { return prc.value_slot[v]; }
  SOJOURN_HD static std::int32_t of_term(const PrcTerm& term) { return term.slot; }
  SOJOURN_HD static std::int32_t of_entry(const PrcView& prc, std::int64_t e) { return prc.entry_slot[e]; }
};

/// Extended rates: [0] = 1, [1 + k] = phi_k, then the forms.
template <class PhiArray, class RateArray>
SOJOURN_HD inline void extend_rates(const PrcView& prc, const PhiArray& phi, RateArray&& rate) {
  using Rate = std::remove_cvref_t<decltype(rate[0])>;
  rate[0] = Rate(1.0);
  for (std::int32_t k = 0; k < prc.num_rates; ++k) rate[1 + k] = Rate(phi[k]);
  for (std::int32_t f = 0; f < prc.num_forms; ++f) {
    FormSum<Rate> sum;
    for (std::int64_t t = prc.forms[f].term_begin; t < prc.forms[f].term_end; ++t) {
      using Value = std::remove_cvref_t<decltype(phi[0])>;
      const PrcFormTerm& term = prc.form_terms[t];
      sum.add(term.coefficient, term.rate == 0 ? Value(1.0) : phi[term.rate - 1]);
    }
    rate[1 + prc.num_rates + f] = Rate(sum.value());
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

/// Weight of one row into absorbing states.
template <class Real, class RateArray>
SOJOURN_HD inline Real absorbing_weight(const PrcView& prc, const PrcRow& row, const RateArray& rate) {
  Real sum(0.0);
  for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
    add_product(sum, prc.groups[g].absorbing, rate[prc.groups[g].rate]);
  }
  return sum;
}

/// True where all edges of a component of one row share a rate; its pivot is a multiple of that rate.
SOJOURN_HD inline bool has_single_rate(const PrcView& prc, const PrcComponent& component) {
  const PrcRow& row = prc.rows[component.row_begin];
  return component.row_end - component.row_begin == 1 && row.group_end - row.group_begin == 1;
}

/// 1 / D of a component of one row without kill. A single rate needs no division a lane; `inverse_rate` holds the
/// reciprocals of the extended rates.
template <class Real, class RateArray>
SOJOURN_HD inline Real factor_single_row(const PrcView& prc, const PrcRow& row, const RateArray& rate,
                                         const RateArray& inverse_rate) {
  if (row.group_end - row.group_begin == 1) {
    const PrcGroup& group = prc.groups[row.group_begin];
    return group.inverse_total * inverse_rate[group.rate];
  }
  return reciprocal(external_weight<Real>(prc, row, rate));
}

/// The direct weights of a component's entries: of those that are no more than that, and of those that have several.
template <class Real, class RateArray, class RealArray>
SOJOURN_HD inline void start_entries(const PrcView& prc, const PrcComponent& component, const RateArray& rate,
                                     RealArray&& entry) {
  for (std::int64_t s = component.direct_begin; s < component.more_begin; ++s) {
    Real sum(0.0);
    add_product(sum, prc.sums[s].coefficient, rate[prc.sums[s].rate]);
    entry[prc.sums[s].slot] = sum;
  }
  for (std::int64_t s = component.more_begin; s < component.sum_begin; ++s) {
    add_product(entry[prc.sums[s].slot], prc.sums[s].coefficient, rate[prc.sums[s].rate]);
  }
}

/// One sum of a row, whose pairs begin at `pair`; returns where they end.
template <class Real, class RateArray, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE const PrcPair* sum_entry(const PrcSum& part, const PrcPair* pair, const RateArray& rate,
                                                         RealArray&& entry) {
  Real sum(0.0);
  if (part.rate >= 0) {
    add_product(sum, part.coefficient, rate[part.rate]);
  } else {
    sum = entry[part.slot];
    add_product(sum, part.coefficient, rate[~part.rate]);
  }
  for (const PrcPair* const last = pair + part.num_pairs; pair != last; ++pair) {
    add_product(sum, entry[pair->a], entry[pair->b]);
  }
  entry[part.slot] = sum;
  return pair;
}

/// Sums of a row, from `part` to `last`. A device's thread fetches the next one while it sums one; the CPU does so by
/// itself.
template <class Real, class RateArray, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE const PrcPair* sum_entries(const PrcSum* part, const PrcSum* last, const PrcPair* pair,
                                                           const RateArray& rate, RealArray&& entry) {
  if constexpr (kIsStrided<std::remove_cvref_t<RealArray>>) {
    if (part == last) return pair;
    for (PrcSum next = *part;;) {
      const PrcSum own = next;
      const bool is_last = ++part == last;
      if (!is_last) next = *part;
      pair = sum_entry<Real>(own, pair, rate, entry);
      if (is_last) return pair;
    }
  } else {
    for (; part != last; ++part) pair = sum_entry<Real>(*part, pair, rate, entry);
    return pair;
  }
}

/// The pivot of row v, once its entries are summed, and what it scales.
template <class Real, class RateArray, class Kill, class RealArray, class PivotWatch>
SOJOURN_HD SOJOURN_FORCE_INLINE void finish_row(const PrcView& prc, const PrcComponent& component, std::int32_t v,
                                                const RateArray& rate, Kill&& kill, RealArray&& entry, RealArray&& exit,
                                                RealArray&& inverse, PivotWatch&& pivots) {
  const PrcRow& row = prc.rows[v];
  const std::int64_t base = component.entry_begin;
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

/// Factors one component, by its fronts where it has some, else by its pairs. `kill(v)` is the extra exit rate of row
/// v. Local arrays: `entry` [entries of the component], `inverse` [rows of the component] = 1 / D_v, `exit` [rows of
/// the component] scratch.
/// Without `kFronts` the caller knows that there are none, and their code is left out.
template <class Real, bool kFronts = true, class RateArray, class Kill, class RealArray, class PivotWatch>
SOJOURN_HD inline void factor_component(const PrcView& prc, const PrcComponent& component, const RateArray& rate,
                                        Kill&& kill, RealArray&& entry, RealArray&& exit, RealArray&& inverse,
                                        PivotWatch&& pivots) {
  if (component.row_end - component.row_begin == 1) {
    const Real pivot = kill(component.row_begin) + external_weight<Real>(prc, prc.rows[component.row_begin], rate);
    pivots.see(pivot);
    inverse[0] = reciprocal(pivot);
    return;
  }
  start_entries<Real>(prc, component, rate, entry);
  if constexpr (kFronts) {
    if (component.front_begin != component.front_end) {
      const auto exit_weight = [&](std::int32_t v) { return kill(v) + external_weight<Real>(prc, prc.rows[v], rate); };
      factor_fronts<Real>(prc, component, exit_weight, entry, exit, inverse, pivots);
      return;
    }
  }
  const PrcSum* part = prc.sums + component.sum_begin;
  const PrcPair* pair = prc.pairs + component.pair_begin;
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    const PrcSum* const last = prc.sums + prc.rows[v].sum_end;
    pair = sum_entries<Real>(part, last, pair, rate, entry);
    part = last;
    finish_row<Real>(prc, component, v, rate, kill, entry, exit, inverse, pivots);
  }
}

/// Adds rate * (sum coefficient * x) of the groups [group_begin, group_end) of a row.
template <class Slots, class Real, class RateArray, class XArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void add_groups(const PrcView& prc, std::int64_t group_begin, std::int64_t group_end,
                                                const RateArray& rate, const XArray& x, Real& acc) {
  for (std::int64_t g = group_begin; g < group_end; ++g) {
    const PrcGroup& group = prc.groups[g];
    Real sum(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      add_product(sum, prc.terms[t].coefficient, x[Slots::of_term(prc.terms[t])]);
    }
    add_product(acc, rate[group.rate], sum);
  }
}

/// The same over the edges that arrive at a row from other components, for a transposed solve.
template <class Real, class RateArray, class YArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void add_arrivals(const PrcView& prc, const PrcRow& row, const RateArray& rate,
                                                  const YArray& y, Real& acc) {
  for (std::int64_t g = row.arrival_begin; g < row.arrival_end; ++g) {
    const PrcGroup& group = prc.arrivals[g];
    Real sum(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      add_product(sum, prc.arrival_terms[t].coefficient, y[prc.arrival_terms[t].column]);
    }
    add_product(acc, rate[group.rate], sum);
  }
}

/// Row v of a solve, rows before it in its component being at their first half, and its own second half, rows after it
/// being solved.
template <class Slots, class Real, class RateArray, class FactorArray, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void solve_first_half(const PrcView& prc, const PrcComponent& component, std::int32_t v,
                                                      const RateArray& rate, const FactorArray& entry,
                                                      const FactorArray& inverse, const Real& rhs, RealArray&& x) {
  const PrcRow& row = prc.rows[v];
  Real acc = rhs;
  add_groups<Slots>(prc, row.group_begin, row.group_middle, rate, x, acc);
  for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
    add_product(acc, entry[e - component.entry_begin], x[Slots::of_entry(prc, e)]);
  }
  x[Slots::of_row(prc, v)] = acc * inverse[v - component.row_begin];
}
template <class Slots, class Real, class FactorArray, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void solve_second_half(const PrcView& prc, const PrcComponent& component,
                                                       std::int32_t v, const FactorArray& entry, RealArray&& x) {
  const PrcRow& row = prc.rows[v];
  Real acc = x[Slots::of_row(prc, v)];
  for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
    add_product(acc, entry[e - component.entry_begin], x[Slots::of_entry(prc, e)]);
  }
  x[Slots::of_row(prc, v)] = acc;
}

/// `solve_component` for a component of several rows.
template <class Slots, class Real, class RateArray, class Rhs, class FactorArray, class RealArray>
SOJOURN_HD inline void solve_cycle(const PrcView& prc, const PrcComponent& component, const RateArray& rate,
                                   const FactorArray& entry, const FactorArray& inverse, Rhs&& rhs, RealArray&& x) {
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    solve_first_half<Slots, Real>(prc, component, v, rate, entry, inverse, rhs(v), x);
  }
  for (std::int32_t v = component.row_end - 2; v >= component.row_begin; --v) {
    solve_second_half<Slots, Real>(prc, component, v, entry, x);
  }
}

/// A component of one row, by its inverse pivot; returns x. Short, because chains without cycles consist of these.
template <class Slots, class Real, class RateArray, class XArray>
SOJOURN_HD SOJOURN_FORCE_INLINE Real solve_single_row(const PrcView& prc, const PrcRow& row, const RateArray& rate,
                                                      const Real& inverse, const Real& rhs, const XArray& x) {
  Real acc = rhs;
  add_groups<Slots>(prc, row.group_begin, row.group_end, rate, x, acc);
  return acc * inverse;
}

/// The same for A^T y = u.
template <class Real, class RateArray, class YArray>
SOJOURN_HD SOJOURN_FORCE_INLINE Real transposed_solve_single_row(const PrcView& prc, const PrcRow& row,
                                                                 const RateArray& rate, const Real& inverse,
                                                                 const Real& start, const YArray& y) {
  Real acc = start;
  add_arrivals(prc, row, rate, y, acc);
  return acc * inverse;
}

/// Takes each row's solution of a transposed solve; the default leaves it alone.
struct IgnoreRows {
  template <class Real>
  SOJOURN_HD void operator()(std::int32_t, const Real&) const {}
};

/// `transposed_solve_component` for a component of several rows.
template <class Real, class RateArray, class FactorArray, class RealArray, class RowDone>
SOJOURN_HD inline void transposed_solve_cycle(const PrcView& prc, const PrcComponent& component, const RateArray& rate,
                                              const FactorArray& entry, const FactorArray& inverse, RealArray&& y,
                                              RowDone&& done) {
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    Real acc = y[v];
    add_arrivals(prc, prc.rows[v], rate, y, acc);
    y[v] = acc;
  }
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
    done(v, value);
  }
}

/// Solves A x = r on one component once its successors are solved. `rhs(v)` gives r_v; `Slots` tells where x stands.
template <class Slots, class Real, class RateArray, class Rhs, class FactorArray, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void solve_component(const PrcView& prc, const PrcComponent& component,
                                                     const RateArray& rate, const FactorArray& entry,
                                                     const FactorArray& inverse, Rhs&& rhs, RealArray&& x) {
  const std::int32_t v = component.row_begin;
  if (component.row_end - v == 1) {
    x[Slots::of_row(prc, v)] = solve_single_row<Slots, Real>(prc, prc.rows[v], rate, inverse[0], rhs(v), x);
  } else {
    solve_cycle<Slots, Real>(prc, component, rate, entry, inverse, rhs, x);
  }
}

/// Solves A^T y = u on one component once its predecessors are solved. `y` [rows] holds u on entry and the solution on
/// return. `done(v, y_v)` is called for each row while its solution is at hand.
template <class Real, class RateArray, class FactorArray, class RealArray, class RowDone = IgnoreRows>
SOJOURN_HD SOJOURN_FORCE_INLINE void transposed_solve_component(const PrcView& prc, const PrcComponent& component,
                                                                const RateArray& rate, const FactorArray& entry,
                                                                const FactorArray& inverse, RealArray&& y,
                                                                RowDone&& done = {}) {
  const std::int32_t v = component.row_begin;
  if (component.row_end - v == 1) {
    y[v] = transposed_solve_single_row<Real>(prc, prc.rows[v], rate, inverse[0], y[v], y);
    done(v, y[v]);
  } else {
    transposed_solve_cycle<Real>(prc, component, rate, entry, inverse, y, done);
  }
}

/// A gradient as a difference of two sums without cancellation, by extended rate: what the rate's edges gain by leading
/// to x_j, and what they lose by leaving x_v. Its rounding error is a small multiple of eps (gained + lost).
template <class RealArray>
struct GradientSums {
  RealArray gained, lost;
};

/// Adds the gradient of the pair (visits, x) at one row; no kill, and x is 0 at absorption.
template <class Real, class XArray, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void add_row_gradient_sums(const PrcView& prc, std::int32_t v, const XArray& x,
                                                           const Real& visits, GradientSums<RealArray> sums) {
  const PrcRow& row = prc.rows[v];
  const Real left = visits * x[v];
  for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
    const PrcGroup& group = prc.groups[g];
    if (group.rate == 0) continue;
    Real target(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      add_product(target, prc.terms[t].coefficient, x[prc.terms[t].column]);
    }
    add_product(sums.gained[group.rate], visits, target);
    add_product(sums.lost[group.rate], group.total, left);
  }
}

/// Adds the gradient of the pair (factor * y, x) on one component. `rhs` is the right-hand side of x; no kill, and x is
/// 0 at absorption. A row with a single rate has slope -r_v / rate by its own equation, without any subtraction.
template <class Real, class RateArray, class Rhs, class XArray, class YArray, class RealArray>
SOJOURN_HD inline void add_gradient_sums(const PrcView& prc, const PrcComponent& component,
                                         const RateArray& inverse_rate, Rhs&& rhs, const XArray& x, double factor,
                                         const YArray& y, GradientSums<RealArray> sums) {
  if (has_single_rate(prc, component)) {
    const std::int32_t v = component.row_begin;
    const std::int32_t r = prc.groups[prc.rows[v].group_begin].rate;
    if (r != 0) add_product(sums.lost[r], y[v], factor * (rhs(v) * inverse_rate[r]));
    return;
  }
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    add_row_gradient_sums<Real>(prc, v, x, factor * y[v], sums);
  }
}

/// Adds the gradient of the pair (y, x) as one sum of products, and to `size` [extended rates] the size of what cancels
/// in it: what rounding leaves of the sum is a small multiple of eps * size. x is `absorbing` at absorption.
template <class Real, class XArray, class YArray, class GradientArray, class SizeArray>
SOJOURN_HD inline void add_gradient_products(const PrcView& prc, const XArray& x, const YArray& y, double absorbing,
                                             GradientArray&& gradient, SizeArray&& size) {
  for (std::int32_t v = 0; v < prc.num_rows; ++v) {
    const PrcRow& row = prc.rows[v];
    const Real value = x[v], visits = y[v];
    const auto lost = size_of(value) * size_of(visits);
    for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
      const PrcGroup& group = prc.groups[g];
      if (group.rate == 0) continue;
      Real slope(group.absorbing * absorbing);
      add_product(slope, -group.total, value);
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        add_product(slope, prc.terms[t].coefficient, x[prc.terms[t].column]);
      }
      add_product(gradient[group.rate], visits, slope);
      add_product(size[group.rate], group.total, lost);
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

/// The same for sums, which stay positive: a negative coefficient turns what is gained into what is lost.
template <class RealArray>
SOJOURN_HD inline void fold_forms(const PrcView& prc, GradientSums<RealArray> sums) {
  for (std::int32_t f = 0; f < prc.num_forms; ++f) {
    const std::int32_t from = 1 + prc.num_rates + f;
    for (std::int64_t t = prc.forms[f].term_begin; t < prc.forms[f].term_end; ++t) {
      const PrcFormTerm& term = prc.form_terms[t];
      const bool turned = term.coefficient < 0;
      const double size = turned ? -term.coefficient : term.coefficient;
      add_product(sums.gained[term.rate], size, turned ? sums.lost[from] : sums.gained[from]);
      add_product(sums.lost[term.rate], size, turned ? sums.gained[from] : sums.lost[from]);
    }
  }
}

}  // namespace sojourn
