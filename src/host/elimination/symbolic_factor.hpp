#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/prc_view.hpp"

namespace sojourn {

/// The edges inside one component, by local index: its states in ascending order. All that its symbolic elimination
/// depends on; neither weights nor the rest of the graph enter.
struct ComponentPattern {
  std::vector<std::int32_t> row_begin{0};  ///< [n + 1]
  std::vector<std::int32_t> column;        ///< [edges] ascending in each row, no self-loops
  [[nodiscard]] std::int32_t num_states() const { return static_cast<std::int32_t>(row_begin.size()) - 1; }
  bool operator==(const ComponentPattern&) const = default;
};

/// Elimination order and fill of a pattern. Rows and columns are positions in the order.
struct SymbolicFactor {
  std::vector<std::int32_t> order;     ///< [n] position -> local state
  std::vector<std::int64_t> begin{0};  ///< [n + 1] entries of each row
  std::vector<std::int64_t> middle;    ///< [n] first upper entry of each row
  std::vector<std::int32_t> column;    ///< [entries] ascending in each row
  std::int64_t num_pairs = 0;          ///< multiply-adds to factor
  [[nodiscard]] std::int32_t num_states() const { return static_cast<std::int32_t>(order.size()); }
  [[nodiscard]] std::int64_t num_entries() const { return static_cast<std::int64_t>(column.size()); }
  bool operator==(const SymbolicFactor&) const = default;
};

/// Minimum-degree order of the pattern and its fill under it.
/// @throws ModelError when it needs more than `max_pairs` multiply-adds. Cost: O(multiply-adds).
SymbolicFactor factor_symbolically(const ComponentPattern& pattern, std::int64_t max_pairs);

/// Whether `factor` is well formed for `pattern`: a permutation, sorted rows without diagonals and in range, every
/// direct edge among the entries, and `num_pairs` right. Empty if so, else what is wrong. After it `write_pairs` is
/// safe to call. Cost: O(entries log).
std::string fault_of(const SymbolicFactor& factor, const ComponentPattern& pattern);

/// Whether the entries of a well-formed factor are exactly the fill of `pattern`, as `write_pairs` finds out on its
/// way. Cost: O(multiply-adds).
bool is_exact_fill(const SymbolicFactor& factor, const ComponentPattern& pattern);

/// Entries above the diagonal of the fill of `pattern` if every link went both ways, eliminated in `order` [n]
/// (position -> local state): the differences that a replay keeps (`PrcDifferences`). Cost: a step for each of them,
/// O(states + edges) memory.
std::int64_t count_both_ways(const ComponentPattern& pattern, std::span<const std::int32_t> order);

/// Writes the multiply-adds of a factor, by entry and in ascending order of the column eliminated.
///
/// @param pairs_of  [entries] how many pairs each entry has.
/// @param pairs     [num_pairs]
/// @return whether the entries are exactly the fill of `pattern`: closed under elimination, and each of them a direct
///         edge or made by a pair. By induction on the order no other set of entries passes.
bool write_pairs(const SymbolicFactor& factor, const ComponentPattern& pattern, std::span<std::uint32_t> pairs_of,
                 std::span<PrcPair> pairs);

}  // namespace sojourn
