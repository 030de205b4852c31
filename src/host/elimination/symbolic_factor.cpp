#include "elimination/symbolic_factor.hpp"

#include <algorithm>
#include <functional>
#include <queue>

#include "expects.hpp"

namespace sojourn {
namespace {

/// Fill pattern of a component: sorted columns of every row, split at the diagonal.
struct Pattern {
  std::vector<std::int64_t> begin{0}, middle;
  std::vector<std::int32_t> column;
};

/// Row i gathers the upper columns of every row k eliminated before it that it reaches, in ascending k: a heap hands
/// out the lower columns as fill creates them.
Pattern fill_pattern(const std::vector<std::vector<InternalWeight>>& weights) {
  const auto size = static_cast<std::int32_t>(weights.size());
  Pattern pattern;
  std::vector<std::int32_t> seen_by(size, -1);
  std::vector<std::int32_t> upper;
  std::priority_queue<std::int32_t, std::vector<std::int32_t>, std::greater<>> lower;
  for (std::int32_t i = 0; i < size; ++i) {
    upper.clear();
    seen_by[i] = i;
    const auto visit = [&](std::int32_t column) {
      if (seen_by[column] == i) return;
      seen_by[column] = i;
      if (column < i) {
        lower.push(column);
      } else {
        upper.push_back(column);
      }
    };
    for (const InternalWeight& direct : weights[i]) visit(direct.column);
    while (!lower.empty()) {
      const std::int32_t k = lower.top();
      lower.pop();
      pattern.column.push_back(k);
      for (std::int64_t e = pattern.middle[k]; e < pattern.begin[k + 1]; ++e) visit(pattern.column[e]);
    }
    pattern.middle.push_back(static_cast<std::int64_t>(pattern.column.size()));
    std::sort(upper.begin(), upper.end());
    pattern.column.insert(pattern.column.end(), upper.begin(), upper.end());
    pattern.begin.push_back(static_cast<std::int64_t>(pattern.column.size()));
  }
  return pattern;
}

/// Calls visit(entry, a, b) for every multiply-add entry += a * b, row by row, ascending in the eliminated column.
template <class Visit>
void for_each_pair(const Pattern& pattern, std::int32_t row, std::vector<std::int64_t>& entry_of, Visit&& visit) {
  for (std::int64_t e = pattern.begin[row]; e < pattern.begin[row + 1]; ++e) entry_of[pattern.column[e]] = e;
  for (std::int64_t a = pattern.begin[row]; a < pattern.middle[row]; ++a) {
    const std::int32_t k = pattern.column[a];
    for (std::int64_t b = pattern.middle[k]; b < pattern.begin[k + 1]; ++b) {
      if (pattern.column[b] == row) continue;  // a return to the row itself: GTH drops it
      visit(entry_of[pattern.column[b]], a, b);
    }
  }
}

}  // namespace

void append_factor(std::int32_t row_begin, const std::vector<std::vector<InternalWeight>>& weights,
                   std::int64_t max_pairs, PrcArrays& arrays) {
  const auto size = static_cast<std::int32_t>(weights.size());
  const Pattern pattern = fill_pattern(weights);
  const auto num_entries = static_cast<std::int64_t>(pattern.column.size());
  std::vector<std::int64_t> entry_of(size);

  std::vector<std::int64_t> pair_count(num_entries + 1, 0);
  std::int64_t num_pairs = 0;
  for (std::int32_t i = 0; i < size; ++i) {
    for_each_pair(pattern, i, entry_of, [&](std::int64_t entry, std::int64_t, std::int64_t) {
      ++pair_count[entry];
      ++num_pairs;
    });
    SOJOURN_EXPECTS(static_cast<std::int64_t>(arrays.pairs.size()) + num_pairs <= max_pairs, ModelError,
                    "elimination: a component of {} states needs more than {} multiply-adds per parameter vector; "
                    "allowed are {}. Raise the memory limit or use a model with a smaller component",
                    size, num_pairs, max_pairs);
  }

  const auto entry_base = static_cast<std::int64_t>(arrays.entry_column.size());
  for (std::int32_t i = 0; i < size; ++i) {
    PrcRow& row = arrays.rows[row_begin + i];
    row.entry_begin = entry_base + pattern.begin[i];
    row.entry_middle = entry_base + pattern.middle[i];
    row.entry_end = entry_base + pattern.begin[i + 1];
    for (std::int64_t e = pattern.begin[i]; e < pattern.begin[i + 1]; ++e) {
      arrays.entry_column.push_back(row_begin + pattern.column[e]);
    }
  }

  auto pair_begin = static_cast<std::int64_t>(arrays.pairs.size());
  arrays.pairs.resize(pair_begin + num_pairs);
  std::vector<std::int64_t> next(num_entries);
  for (std::int64_t e = 0; e < num_entries; ++e) {
    next[e] = pair_begin;
    pair_begin += pair_count[e];
    arrays.entry_pair_begin.push_back(pair_begin);
  }
  for (std::int32_t i = 0; i < size; ++i) {
    for_each_pair(pattern, i, entry_of, [&](std::int64_t entry, std::int64_t a, std::int64_t b) {
      arrays.pairs[next[entry]++] = {static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)};
    });
  }

  std::vector<std::vector<PrcWeight>> direct;
  for (std::int32_t i = 0; i < size; ++i) {
    const std::int64_t begin = pattern.begin[i];
    for (std::int64_t e = begin; e < pattern.begin[i + 1]; ++e) entry_of[pattern.column[e]] = e;
    direct.assign(pattern.begin[i + 1] - begin, {});
    for (const InternalWeight& weight : weights[i]) direct[entry_of[weight.column] - begin].push_back(weight.weight);
    for (const auto& terms : direct) {
      arrays.entry_weights.insert(arrays.entry_weights.end(), terms.begin(), terms.end());
      arrays.entry_weight_begin.push_back(static_cast<std::int64_t>(arrays.entry_weights.size()));
    }
  }
  std::int64_t num_lower = 0;
  for (std::int32_t i = 0; i < size; ++i) num_lower += pattern.middle[i] - pattern.begin[i];
  arrays.cost.factor_multiply_adds += num_pairs + num_lower;
  arrays.cost.solve_multiply_adds += num_entries;
}

}  // namespace sojourn
