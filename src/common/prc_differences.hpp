#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "common/prc_replay.hpp"

/// Differences of a solution, each from an equation of its own. Subtracting two solutions loses everything where a fast
/// transition, or many visits, make them nearly equal; a gradient consists of such differences.
namespace sojourn {

/// The theta-independent part: which differences of a component's rows are kept. Row v keeps those to its later
/// neighbours in the symmetric fill of its component, ascending, of which the first is its parent in the elimination
/// tree. Two later neighbours of a row are neighbours themselves, so that the differences among them are kept as well.
/// Slots count from the component's first pair.
struct PrcDifferences {
  const std::int64_t* row_begin;  ///< [rows + 1] pairs of row v
  const std::int32_t* column;     ///< [pairs] the later row j
  const std::int32_t* onward;     ///< [pairs] slot of the pair (parent of v, j); -1 for the parent itself
  const std::int32_t* term;       ///< [terms] of internal edges: slot s of (row, target), or -1 - s of (target, row)
};

/// A solution together with its differences.
template <class RealArray>
struct Differences {
  RealArray x;        ///< [rows] the solution
  RealArray shifted;  ///< [rows] x_v - x_reference, the reference of v's component (0 where it has none)
  RealArray slope;    ///< [groups] sum over the group of coefficient * (x_target - x_v): what a gradient reads
};

/// The differences of the component at hand, with what says whose they are.
template <class RealArray>
struct ComponentRises {
  PrcDifferences pairs;
  RealArray rise;  ///< [pairs of the largest component] x_j - x_v of the pair (v, j)
};

/// What slopes and differences were subtracted from, to which their rounding errors are in proportion.
template <class RealArray>
struct DifferenceSizes {
  static constexpr bool kKept = true;
  RealArray slope;    ///< [groups]
  RealArray rise;     ///< [pairs of the largest component]
  RealArray shifted;  ///< [rows of the largest component]
};
struct NoDifferenceSizes {
  static constexpr bool kKept = false;
};

/// The larger of two numbers that are not negative, lane by lane.
template <class Real>
SOJOURN_HD inline Real larger_of(const Real& a, const Real& b) {
  return select(smaller(a, b), b, a);
}

/// The slopes of one solved row. External groups hold sum coefficient * (x_target - reference); they are taken in
/// whichever of x and shifted has the smaller value at v. x is `absorbing` at absorption.
template <class Real, class RealArray>
SOJOURN_HD inline void finish_slopes(const PrcView& prc, std::int32_t v, const Real& reference, double absorbing,
                                     const Differences<RealArray>& solution, const ComponentRises<RealArray>& rises) {
  const PrcRow& row = prc.rows[v];
  const auto near_zero = smaller(solution.x[v], solution.shifted[v]);
  const bool any_near_zero = row.group_begin < row.group_middle && any(near_zero);
  for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
    const PrcGroup& group = prc.groups[g];
    Real slope = solution.slope[g];
    if (group.absorbing != 0) add_product(slope, group.absorbing, Real(absorbing) - reference);
    add_product(slope, -group.total, solution.shifted[v]);
    if (any_near_zero) {
      Real plain(group.absorbing * absorbing);
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        add_product(plain, prc.terms[t].coefficient, solution.x[prc.terms[t].column]);
      }
      add_product(plain, -group.total, solution.x[v]);
      slope = select(near_zero, plain, slope);
    }
    solution.slope[g] = slope;
  }
  for (std::int64_t g = row.group_middle; g < row.group_end; ++g) {
    const PrcGroup& group = prc.groups[g];
    Real slope(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      const std::int32_t slot = rises.pairs.term[t];
      const bool later = slot >= 0;
      add_product(slope, later ? prc.terms[t].coefficient : -prc.terms[t].coefficient,
                  rises.rise[later ? slot : -1 - slot]);
    }
    solution.slope[g] = slope;
  }
}

/// The sizes of a solved row's slopes: for every group the sum of the sizes of its terms, as `finish_slopes` takes
/// them.
template <class Real, class RealArray>
SOJOURN_HD inline void slope_sizes(const PrcView& prc, const PrcComponent& component, std::int32_t v,
                                   const Real& reference, double absorbing, const Differences<RealArray>& solution,
                                   const ComponentRises<RealArray>& rises, const DifferenceSizes<RealArray>& size) {
  const PrcRow& row = prc.rows[v];
  const Real value = absolute(solution.x[v]), reference_size = absolute(reference);
  const auto near_zero = smaller(solution.x[v], solution.shifted[v]);
  for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
    const PrcGroup& group = prc.groups[g];
    Real plain = group.total * value, from_reference = group.total * size.shifted[v - component.row_begin];
    if (group.absorbing != 0) {
      add_product(plain, group.absorbing, Real(absorbing));
      add_product(from_reference, group.absorbing, Real(absorbing) + reference_size);
    }
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      const std::int32_t column = prc.terms[t].column;
      const Real target = absolute(solution.x[column]);
      add_product(plain, prc.terms[t].coefficient, target);
      if (column != component.reference) add_product(from_reference, prc.terms[t].coefficient, target + reference_size);
    }
    size.slope[g] = select(near_zero, plain, from_reference);
  }
  for (std::int64_t g = row.group_middle; g < row.group_end; ++g) {
    const PrcGroup& group = prc.groups[g];
    Real sum(0.0);
    for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
      const std::int32_t slot = rises.pairs.term[t];
      add_product(sum, prc.terms[t].coefficient, size.rise[slot >= 0 ? slot : -1 - slot]);
    }
    size.slope[g] = sum;
  }
}

/// One component's back substitution with differences: x and shifted hold the forward solutions of all rows on entry.
///
/// With e the exits of the factors, z the forward solution (of x, or of the shifted problem), p the upper factors and
/// any later row r: x_v - x_r = z_v - e_v x_r + sum_j p_vj (x_j - x_r), because the p of a row and its e sum to one.
/// With r a later neighbour of v the differences in the sum are kept, and x_j - x_v = (x_j - x_r) - (x_v - x_r).
template <class Real, class FactorArray, class RealArray, class Sizes>
class DifferenceSweep {
 public:
  SOJOURN_HD DifferenceSweep(const PrcView& prc, const PrcComponent& component, const FactorArray& entry,
                             const FactorArray& exit, const Differences<RealArray>& solution,
                             const ComponentRises<RealArray>& rises, const Sizes& size)
      : prc_(prc), component_(component), entry_(entry), exit_(exit), solution_(solution), rises_(rises), size_(size) {}

  SOJOURN_HD void run() {
    const std::int32_t root = component_.row_end - 1;
    if constexpr (Sizes::kKept) {
      if (!has_reference()) size_.shifted[root - component_.row_begin] = absolute(solution_.x[root]);
    }
    for (std::int32_t v = root - 1; v >= component_.row_begin; --v) solve_row(v);
  }

 private:
  using Size = std::remove_cvref_t<decltype(size_of(std::declval<const Real&>()))>;

  /// Another reference than the parent is worth its cost where the parent has less than this share of the largest p:
  /// a row can be close to any row with a large p while both are far from its parent.
  static constexpr double kParentShare = 1.0 / 64;
  /// The same for the solution itself instead of a difference.
  static constexpr double kValueShare = 1.0 / 64;
  /// Share of a rounding in what sizes stand for, which is dozens of them.
  static constexpr double kClosingRounding = 1.0 / 16;
  /// Marks lanes that keep the parent; no p is as large.
  static constexpr double kNone = 1e300;

  SOJOURN_HD const PrcDifferences& pairs() const { return rises_.pairs; }
  SOJOURN_HD std::int64_t pair_begin(std::int32_t v) const { return pairs().row_begin[v]; }
  SOJOURN_HD std::int32_t slot(std::int64_t pair) const {
    return static_cast<std::int32_t>(pair - pair_begin(component_.row_begin));
  }
  SOJOURN_HD bool has_reference() const { return component_.reference >= 0; }
  SOJOURN_HD const Real& upper(std::int64_t e) const { return entry_[e - component_.entry_begin]; }
  SOJOURN_HD const Real& exit(std::int32_t v) const { return exit_[v - component_.row_begin]; }

  /// Slot of the pair of two neighbours; `turned` where the first is the later one.
  SOJOURN_HD std::int32_t find(std::int32_t from, std::int32_t to, bool& turned) const {
    turned = from > to;
    const std::int32_t low = turned ? to : from, high = turned ? from : to;
    std::int64_t begin = pair_begin(low), end = pair_begin(low + 1);
    while (end - begin > 1) {
      const std::int64_t middle = begin + (end - begin) / 2;
      (pairs().column[middle] <= high ? begin : end) = middle;
    }
    return slot(begin);
  }
  /// x_to - x_from of neighbours.
  SOJOURN_HD Real rise_between(std::int32_t from, std::int32_t to) const {
    bool turned = false;
    const Real& rise = rises_.rise[find(from, to, turned)];
    return turned ? -1.0 * rise : rise;
  }
  /// z_v - e_v x_r of a row whose x and shifted are the forward solutions still, by whichever is smaller at r.
  SOJOURN_HD SOJOURN_FORCE_INLINE Real own_part(std::int32_t v, std::int32_t r, [[maybe_unused]] Real& size) const {
    if constexpr (Sizes::kKept) size = absolute(solution_.x[v]) + exit(v) * absolute(solution_.x[r]);
    if (!has_reference()) return solution_.x[v] - exit(v) * solution_.x[r];
    const auto near_zero = smaller(solution_.x[r], solution_.shifted[r]);
    if constexpr (Sizes::kKept) {
      const std::int32_t begin = component_.row_begin;
      size = select(near_zero, size, size_.shifted[v - begin] + exit(v) * size_.shifted[r - begin]);
    }
    const Real shifted = solution_.shifted[v] - exit(v) * solution_.shifted[r];
    if (!any(near_zero)) return shifted;
    return select(near_zero, solution_.x[v] - exit(v) * solution_.x[r], shifted);
  }

  SOJOURN_HD void solve_row(std::int32_t v) {
    const PrcRow& row = prc_.rows[v];
    const std::int64_t first = pair_begin(v), last = pair_begin(v + 1);
    const std::int32_t parent = pairs().column[first];
    const RealArray& rise = rises_.rise;
    Real own_size(0.0);
    Real delta = own_part(v, parent, own_size);
    // A parent without an entry has no share of the row.
    std::int64_t e = row.entry_middle, parent_entry = -1;
    if (prc_.entry_column[e] == parent) parent_entry = e++;
    for (std::int64_t pair = first + 1; e < row.entry_end; ++e, ++pair) {
      while (pairs().column[pair] != prc_.entry_column[e]) ++pair;
      const std::int32_t onward = pairs().onward[pair];
      add_product(delta, upper(e), rise[onward]);
      if constexpr (Sizes::kKept) add_product(own_size, upper(e), absolute(rise[onward]));
    }
    rise[slot(first)] = -1.0 * delta;
    for (std::int64_t pair = first + 1; pair < last; ++pair) rise[slot(pair)] = rise[pairs().onward[pair]] - delta;
    if constexpr (Sizes::kKept) {
      size_.rise[slot(first)] = own_size;
      for (std::int64_t pair = first + 1; pair < last; ++pair) {
        Real size = own_size;
        add_product(size, exit(v), size_.rise[pairs().onward[pair]]);
        add_product(size, kClosingRounding, absolute(rise[pairs().onward[pair]]));
        size_.rise[slot(pair)] = size;
      }
    }
    // With one difference alone there is nothing to lose by its way over the parent.
    const bool small_parent =
        last - first > 1 && (parent_entry < 0 || any(smaller(size_of(upper(parent_entry)), Size(kParentShare))));
    if (small_parent && any_wants_another(v, parent_entry)) try_other_references(v, parent_entry, delta);
    if constexpr (Sizes::kKept) add_neighbour_sizes(v);
    if (has_reference()) {
      finish_both(v);
    } else {
      finish_row(v, solution_.x);
      solution_.shifted[v] = solution_.x[v];
    }
    if constexpr (Sizes::kKept) {
      Real& shifted_size = size_.shifted[v - component_.row_begin];
      for (e = row.entry_middle; e < row.entry_end; ++e)
        add_product(shifted_size, upper(e), size_.shifted[prc_.entry_column[e] - component_.row_begin]);
      if (!has_reference()) shifted_size = absolute(solution_.x[v]);
    }
    if (small_parent && any_value_smaller(v, delta)) take_values_where_smaller(v, delta);
    if constexpr (Sizes::kKept) {
      for (std::int64_t pair = first; pair < last; ++pair) {
        Real& size = size_.rise[slot(pair)];
        size = larger_of(size, absolute(rise[slot(pair)]));
      }
    }
  }
  SOJOURN_HD SOJOURN_FORCE_INLINE void finish_row(std::int32_t v, const RealArray& solution) const {
    const PrcRow& row = prc_.rows[v];
    Real sum = solution[v];
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
      add_product(sum, upper(e), solution[prc_.entry_column[e]]);
    }
    solution[v] = sum;
  }
  /// x and shifted together, which share the factors.
  SOJOURN_HD SOJOURN_FORCE_INLINE void finish_both(std::int32_t v) const {
    const PrcRow& row = prc_.rows[v];
    Real sum = solution_.x[v], shifted = solution_.shifted[v];
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
      add_product(sum, upper(e), solution_.x[prc_.entry_column[e]]);
      add_product(shifted, upper(e), solution_.shifted[prc_.entry_column[e]]);
    }
    solution_.x[v] = sum;
    solution_.shifted[v] = shifted;
  }

  /// The errors of x_j - x_v are what is lost in the row itself plus those of x_j - x_i weighted by p_vi.
  SOJOURN_HD void add_neighbour_sizes(std::int32_t v) {
    const std::int64_t entry_end = prc_.rows[v].entry_end, last = pair_begin(v + 1);
    const std::int32_t* const column = pairs().column;
    std::int64_t e = prc_.rows[v].entry_middle;
    for (std::int64_t low = pair_begin(v); low < last; ++low) {
      const bool low_enters = e < entry_end && prc_.entry_column[e] == column[low];
      const std::int64_t low_entry = e;
      if (low_enters) ++e;
      std::int64_t at = pair_begin(column[low]), high_entry = e;
      Real sum = size_.rise[slot(low)];
      for (std::int64_t high = low + 1; high < last; ++high) {
        while (column[at] != column[high]) ++at;
        const Real& size = size_.rise[slot(at)];
        if (high_entry < entry_end && prc_.entry_column[high_entry] == column[high])
          add_product(sum, upper(high_entry++), size);
        if (low_enters) add_product(size_.rise[slot(high)], upper(low_entry), size);
      }
      size_.rise[slot(low)] = sum;
    }
  }

  /// Whether the parent has a small share of some lane's row beside another row.
  SOJOURN_HD SOJOURN_FORCE_INLINE bool any_wants_another(std::int32_t v, std::int64_t parent_entry) const {
    if (parent_entry < 0) return true;
    const Size threshold = (1 / kParentShare) * size_of(upper(parent_entry));
    for (std::int64_t e = parent_entry + 1; e < prc_.rows[v].entry_end; ++e) {
      if (any(smaller(threshold, size_of(upper(e))))) return true;
    }
    return false;
  }
  SOJOURN_HD SOJOURN_FORCE_INLINE bool any_value_smaller(std::int32_t v, const Real& delta) const {
    const Size threshold = kValueShare * size_of(delta);
    return any(smaller(size_of(solution_.x[v]), threshold)) || any(smaller(size_of(solution_.shifted[v]), threshold));
  }
  /// Lanes whose parent has a small share of the row take the differences from the row's largest p.
  SOJOURN_HD SOJOURN_NOINLINE void try_other_references(std::int32_t v, std::int64_t parent_entry, Real& delta) {
    const PrcRow& row = prc_.rows[v];
    const Real parent_share = parent_entry < 0 ? Real(0.0) : upper(parent_entry);
    Real largest = parent_share;
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) largest = larger_of(largest, upper(e));
    const auto wanting = smaller(parent_share, kParentShare * largest);
    if (!any(wanting)) return;
    // A little below the largest, so that it passes itself.
    const Real threshold = select(wanting, (1 - 0x1p-40) * largest, Real(kNone));
    for (std::int64_t r = row.entry_middle; r < row.entry_end; ++r) {
      const auto taken = smaller(threshold, upper(r));
      if (any(taken)) refer_to(v, prc_.entry_column[r], taken, delta);
    }
  }

  template <class Mask>
  SOJOURN_HD void refer_to(std::int32_t v, std::int32_t reference, const Mask& taken, Real& delta) {
    const PrcRow& row = prc_.rows[v];
    Real own_size(0.0);
    Real own = own_part(v, reference, own_size);
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
      const std::int32_t column = prc_.entry_column[e];
      if (column == reference) continue;
      const Real rise = rise_between(reference, column);
      add_product(own, upper(e), rise);
      if constexpr (Sizes::kKept) add_product(own_size, upper(e), absolute(rise));
    }
    delta = select(taken, own, delta);
    for (std::int64_t pair = pair_begin(v); pair < pair_begin(v + 1); ++pair) {
      const std::int32_t column = pairs().column[pair];
      Real rise = -1.0 * own;
      if (column != reference) rise += rise_between(reference, column);
      Real& kept = rises_.rise[slot(pair)];
      kept = select(taken, rise, kept);
      if constexpr (Sizes::kKept) {
        bool turned = false;
        Real own_here = own_size;
        if (column != reference) {
          const std::int32_t at = find(reference, column, turned);
          add_product(own_here, exit(v), size_.rise[at]);
          add_product(own_here, kClosingRounding, absolute(rises_.rise[at]));
        }
        Real& size = size_.rise[slot(pair)];
        size = select(taken, own_here, size);
      }
    }
  }

  /// Lanes whose x or shifted is far below their difference from the reference subtract these. It cannot be where the
  /// reference has a fair share of the row.
  SOJOURN_HD SOJOURN_NOINLINE void take_values_where_smaller(std::int32_t v, const Real& delta) {
    const auto near_zero = smaller(solution_.x[v], solution_.shifted[v]);
    const Real own = select(near_zero, solution_.x[v], solution_.shifted[v]);
    const auto taken = smaller(own, kValueShare * delta);
    if (!any(taken)) return;
    for (std::int64_t pair = pair_begin(v); pair < pair_begin(v + 1); ++pair) {
      const std::int32_t j = pairs().column[pair];
      const Real other = select(near_zero, solution_.x[j], solution_.shifted[j]);
      Real& kept = rises_.rise[slot(pair)];
      kept = select(taken, other - own, kept);
      if constexpr (Sizes::kKept) {
        const Real value_size =
            select(near_zero, absolute(other) + absolute(own),
                   size_.shifted[v - component_.row_begin] + size_.shifted[j - component_.row_begin]);
        Real& size = size_.rise[slot(pair)];
        size = select(taken, value_size, size);
      }
    }
  }

  const PrcView& prc_;
  const PrcComponent& component_;
  const FactorArray& entry_;
  const FactorArray& exit_;
  const Differences<RealArray>& solution_;
  const ComponentRises<RealArray>& rises_;
  const Sizes& size_;
};

/// `solve_component` with differences and slopes, and their sizes where these are kept. `kill(v)` is row v's extra exit
/// rate; x is `absorbing` at absorption.
template <class Real, class RateArray, class Rhs, class Kill, class FactorArray, class RealArray,
          class Sizes = NoDifferenceSizes>
SOJOURN_HD inline void solve_differences_component(const PrcView& prc, const PrcComponent& component,
                                                   const RateArray& rate, const FactorArray& entry,
                                                   const FactorArray& exit, const FactorArray& inverse, Rhs&& rhs,
                                                   Kill&& kill, double absorbing, Differences<RealArray> solution,
                                                   const ComponentRises<RealArray>& rises, Sizes size = {}) {
  const std::int64_t base = component.entry_begin;
  const Real reference = component.reference < 0 ? Real(0.0) : solution.x[component.reference];
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    const PrcRow& row = prc.rows[v];
    Real out = kill(v);
    Real shifted(0.0), acc(0.0);
    [[maybe_unused]] Real shifted_size(0.0);
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
      const PrcGroup& group = prc.groups[g];
      Real sum(0.0), plain(0.0);
      for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
        const Real& target = solution.x[prc.terms[t].column];
        add_product(plain, prc.terms[t].coefficient, target);
        add_product(sum, prc.terms[t].coefficient, target - reference);
        if constexpr (Sizes::kKept) {
          if (prc.terms[t].column != component.reference)
            add_product(shifted_size, prc.terms[t].coefficient * rate[group.rate],
                        absolute(target) + absolute(reference));
        }
      }
      solution.slope[g] = sum;
      add_product(acc, rate[group.rate], plain);
      add_product(shifted, rate[group.rate], sum);
      if (group.absorbing != 0) add_product(out, group.absorbing, rate[group.rate]);
    }
    const Real gained = rhs(v);
    acc += gained;
    Real net = gained;
    add_product(net, -1.0 * out, reference);
    shifted += net;
    if constexpr (Sizes::kKept) {
      shifted_size += absolute(gained);
      add_product(shifted_size, out, absolute(reference));
      for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
        add_product(shifted_size, entry[e - base], size.shifted[prc.entry_column[e] - component.row_begin]);
      }
      size.shifted[v - component.row_begin] = shifted_size * inverse[v - component.row_begin];
    }
    for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
      add_product(acc, entry[e - base], solution.x[prc.entry_column[e]]);
      add_product(shifted, entry[e - base], solution.shifted[prc.entry_column[e]]);
    }
    solution.x[v] = acc * inverse[v - component.row_begin];
    solution.shifted[v] = shifted * inverse[v - component.row_begin];
  }
  if (component.row_end - component.row_begin > 1)
    DifferenceSweep<Real, FactorArray, RealArray, Sizes>(prc, component, entry, exit, solution, rises, size).run();
  for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
    finish_slopes<Real>(prc, v, reference, absorbing, solution, rises);
    if constexpr (Sizes::kKept) slope_sizes<Real>(prc, component, v, reference, absorbing, solution, rises, size);
  }
}

/// gradient[rate] += sum over rows and groups of y_v * slope: the gradient of the pair (y, solution). With `slope` the
/// sizes of slopes it adds up the sizes of gradients.
template <class Real, class SlopeArray, class YArray, class GradientArray>
SOJOURN_HD inline void add_gradient(const PrcView& prc, const SlopeArray& slope, const YArray& y,
                                    GradientArray&& gradient) {
  for (std::int32_t v = 0; v < prc.num_rows; ++v) {
    for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_end; ++g) {
      if (prc.groups[g].rate != 0) add_product(gradient[prc.groups[g].rate], y[v], slope[g]);
    }
  }
}

}  // namespace sojourn
