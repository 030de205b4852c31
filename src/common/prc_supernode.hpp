#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "common/host_device.hpp"
#include "common/prc_number.hpp"
#include "common/prc_view.hpp"

/// Factors of a component by its fronts (supernodes), right-looking: once the rows of a front are done, what they pass
/// on is the dense product of its lower and its upper entries, and goes to the rows below in tiles held in registers.
/// A pair list reads two numbers for every multiply-add; a tile of R x C numbers reads R + C for R * C of them. The
/// sums are those of `PrcView` in another order, all of non-negative numbers.
namespace sojourn {

/// Rows and columns of a tile; packs choose theirs by the registers there are. A number's bits do not depend on it.
template <class Real>
struct FrontTile {
  static constexpr int kRows = 1, kColumns = 1;
};

namespace fronts {

/// Calls body with the indices below N as constants, so that arrays indexed by them live in registers.
template <class Body, std::size_t... I>
SOJOURN_HD SOJOURN_FORCE_INLINE void unroll(Body&& body, std::index_sequence<I...>) {
  (body(std::integral_constant<int, static_cast<int>(I)>{}), ...);
}
template <int N, class Body>
SOJOURN_HD SOJOURN_FORCE_INLINE void unroll(Body&& body) {
  unroll(body, std::make_index_sequence<N>{});
}

/// A front and where its rows stand among the entries.
struct Place {
  int num_rows;
  std::int64_t num_lower, num_upper;
  const std::uint32_t* lower;
  const std::uint32_t* targets;
  std::int64_t middle[kMostFrontRows];  ///< first upper entry of each row
  std::int64_t after[kMostFrontRows];   ///< first of these in a column after the front
};

/// Adds what the front passes on to R rows and C columns from (`row`, `column`).
template <class Real, int R, int C, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void add_tile(const Place& place, std::int64_t row, std::int64_t column,
                                              RealArray&& entry) {
  Real sum[R * C];
  unroll<R * C>([&](auto i) SOJOURN_INLINE_BODY { sum[i] = Real(0.0); });
  for (int k = 0; k < place.num_rows; ++k) {
    Real upper[C];
    unroll<C>([&](auto c) SOJOURN_INLINE_BODY {
      upper[c] = entry[place.after[k] + column + c];
      hold_in_register(upper[c]);
    });
    unroll<R>([&](auto r) SOJOURN_INLINE_BODY {
      Real lower = entry[static_cast<std::int64_t>(place.lower[row + r]) + k];
      hold_in_register(lower);
      unroll<C>([&](auto c) SOJOURN_INLINE_BODY { add_product(sum[r * C + c], lower, upper[c]); });
    });
  }
  unroll<R>([&](auto r) SOJOURN_INLINE_BODY {
    const std::uint32_t* const target = place.targets + (row + r) * place.num_upper + column;
    unroll<C>([&](auto c) SOJOURN_INLINE_BODY {
      if (target[c] != kNoSlot) entry[target[c]] += sum[r * C + c];
    });
  });
}

/// Finishes the lower entries of R rows from `row`: entry(i, k) += sum_{k' < k} entry(i, k') p(k', k).
template <class Real, int R, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void finish_lower(const Place& place, std::int64_t row, RealArray&& entry) {
  std::int64_t first[R];
  unroll<R>([&](auto r) SOJOURN_INLINE_BODY { first[r] = place.lower[row + r]; });
  for (int k = 1; k < place.num_rows; ++k) {
    Real sum[R];
    unroll<R>([&](auto r) SOJOURN_INLINE_BODY { sum[r] = entry[first[r] + k]; });
    for (int before = 0; before < k; ++before) {
      Real upper = entry[place.middle[before] + (k - before - 1)];
      hold_in_register(upper);
      unroll<R>([&](auto r) SOJOURN_INLINE_BODY { add_product(sum[r], entry[first[r] + before], upper); });
    }
    unroll<R>([&](auto r) SOJOURN_INLINE_BODY { entry[first[r] + k] = sum[r]; });
  }
}

/// Adds to C upper entries of row k, from its `column`-th, what the front's rows before it pass on.
template <class Real, int C, class RealArray>
SOJOURN_HD SOJOURN_FORCE_INLINE void add_upper(const Place& place, int k, std::int64_t column, RealArray&& entry) {
  const std::int64_t own = place.middle[k];
  Real sum[C];
  unroll<C>([&](auto c) SOJOURN_INLINE_BODY { sum[c] = entry[own + column + c]; });
  for (int before = 0; before < k; ++before) {
    Real lower = entry[own - k + before];
    hold_in_register(lower);
    const std::int64_t from = place.middle[before] + (k - before) + column;
    unroll<C>([&](auto c) SOJOURN_INLINE_BODY { add_product(sum[c], lower, entry[from + c]); });
  }
  unroll<C>([&](auto c) SOJOURN_INLINE_BODY { entry[own + column + c] = sum[c]; });
}

/// Entries of row k of the front in the front's own columns before it, and its upper ones, before scaling.
template <class Real, class RealArray>
SOJOURN_HD inline void finish_row(const Place& place, int k, std::int64_t num_upper, RealArray&& entry) {
  const std::int64_t own = place.middle[k] - k;
  for (int j = 1; j < k; ++j) {
    Real sum = entry[own + j], other(0.0);  // two chains, as each sum waits for the one before
    int before = 0;
    for (; before + 2 <= j; before += 2) {
      add_product(sum, entry[own + before], entry[place.middle[before] + (j - before - 1)]);
      add_product(other, entry[own + before + 1], entry[place.middle[before + 1] + (j - before - 2)]);
    }
    if (before < j) add_product(sum, entry[own + before], entry[place.middle[before] + (j - before - 1)]);
    entry[own + j] = sum + other;
  }
  if (k == 0) return;
  constexpr int kColumns = 2 * FrontTile<Real>::kColumns;
  std::int64_t column = 0;
  for (; column + kColumns <= num_upper; column += kColumns) add_upper<Real, kColumns>(place, k, column, entry);
  for (; column < num_upper; ++column) add_upper<Real, 1>(place, k, column, entry);
}

/// Passes on what a front of one row adds, where a tile would gain nothing.
template <class Real, class RealArray>
SOJOURN_HD inline void pass_on_row(const Place& place, RealArray&& entry) {
  const std::uint32_t* target = place.targets;
  for (std::int64_t r = 0; r < place.num_lower; ++r) {
    const Real lower = entry[place.lower[r]];
    for (std::int64_t c = 0; c < place.num_upper; ++c, ++target) {
      if (*target != kNoSlot) add_product(entry[*target], lower, entry[place.after[0] + c]);
    }
  }
}

/// Adds what the front passes on to the rows from `first` to `last`, in C columns.
template <class Real, int C, class RealArray>
SOJOURN_HD inline void add_columns(const Place& place, std::int64_t first, std::int64_t last, std::int64_t column,
                                   RealArray&& entry) {
  constexpr int R = FrontTile<Real>::kRows;
  std::int64_t row = first;
  for (; row + R <= last; row += R) add_tile<Real, R, C>(place, row, column, entry);
  if constexpr (R > 1) {
    for (; row < last; ++row) add_tile<Real, 1, C>(place, row, column, entry);
  }
}

/// About a quarter of a core's nearest cache: a block of lower rows stays there while all columns pass by.
inline constexpr std::size_t kLowerBlockBytes = 8 << 10;

template <class Real, class RealArray>
SOJOURN_HD inline void pass_on(const Place& place, RealArray&& entry) {
  constexpr int R = FrontTile<Real>::kRows, C = FrontTile<Real>::kColumns;
  if (place.num_rows == 1) {
    pass_on_row<Real>(place, entry);
    return;
  }
  const auto fitting = static_cast<std::int64_t>(kLowerBlockBytes / (sizeof(Real) * R * place.num_rows));
  const std::int64_t block = R * (fitting > 0 ? fitting : 1);
  for (std::int64_t first = 0; first < place.num_lower; first += block) {
    const std::int64_t last = first + block < place.num_lower ? first + block : place.num_lower;
    const std::int64_t full = first + (last - first) / R * R;
    for (std::int64_t row = first; row < full; row += R) finish_lower<Real, R>(place, row, entry);
    if constexpr (R > 1) {
      for (std::int64_t row = full; row < last; ++row) finish_lower<Real, 1>(place, row, entry);
    }
    std::int64_t column = 0;
    for (; column + C <= place.num_upper; column += C) add_columns<Real, C>(place, first, last, column, entry);
    if constexpr (C > 1) {
      for (; column < place.num_upper; ++column) add_columns<Real, 1>(place, first, last, column, entry);
    }
  }
}

}  // namespace fronts

/// Factors a component that has fronts and whose entries hold their direct weights; arrays and numbers as for
/// `factor_component`. `exit_weight(v)` is the weight of row v out of the component, kill included.
template <class Real, class ExitWeight, class RealArray, class PivotWatch>
SOJOURN_HD SOJOURN_NOINLINE void factor_fronts(const PrcView& prc, const PrcComponent& component,
                                               ExitWeight&& exit_weight, RealArray&& entry, RealArray&& exit,
                                               RealArray&& inverse, PivotWatch&& pivots) {
  const std::int64_t base = component.entry_begin;
  for (std::int64_t f = component.front_begin; f < component.front_end; ++f) {
    const PrcFront& front = prc.fronts[f];
    fronts::Place place;
    place.num_rows = front.row_end - front.row_begin;
    place.num_lower = front.num_lower;
    place.num_upper = front.num_upper;
    place.lower = prc.front_slots + front.lower_begin;
    place.targets = prc.front_slots + front.target_begin;
    for (int k = 0; k < place.num_rows; ++k) {
      const PrcRow& row = prc.rows[component.row_begin + front.row_begin + k];
      place.middle[k] = row.entry_middle - base;
      place.after[k] = row.entry_end - base - front.num_upper;
    }
    for (int k = 0; k < place.num_rows; ++k) {
      const std::int32_t v = component.row_begin + front.row_begin + k;
      const PrcRow& row = prc.rows[v];
      const std::int64_t upper = place.middle[k], num_upper = row.entry_end - row.entry_middle;
      fronts::finish_row<Real>(place, k, num_upper, entry);
      // Sums in two chains each, as above.
      Real out = exit_weight(v), other_out(0.0);
      std::int64_t e = row.entry_begin;
      for (; e + 2 <= row.entry_middle; e += 2) {
        add_product(out, entry[e - base], exit[prc.entry_column[e] - component.row_begin]);
        add_product(other_out, entry[e + 1 - base], exit[prc.entry_column[e + 1] - component.row_begin]);
      }
      if (e < row.entry_middle) add_product(out, entry[e - base], exit[prc.entry_column[e] - component.row_begin]);
      out += other_out;
      Real pivot = out, other_pivot(0.0);
      std::int64_t c = 0;
      for (; c + 2 <= num_upper; c += 2) {
        pivot += entry[upper + c];
        other_pivot += entry[upper + c + 1];
      }
      if (c < num_upper) pivot += entry[upper + c];
      pivot += other_pivot;
      pivots.see(pivot);
      const Real scale = reciprocal(pivot);
      inverse[v - component.row_begin] = scale;
      exit[v - component.row_begin] = out * scale;
      for (c = 0; c < num_upper; ++c) entry[upper + c] = entry[upper + c] * scale;
    }
    fronts::pass_on<Real>(place, entry);
  }
}

}  // namespace sojourn
