#include "elimination/symbolic_factor.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "elimination/order.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

std::vector<std::int32_t> inverse_of(const std::vector<std::int32_t>& order) {
  std::vector<std::int32_t> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) position[order[i]] = static_cast<std::int32_t>(i);
  return position;
}

/// Row i gathers the upper columns of every row k eliminated before it that it reaches, in ascending k: a heap hands
/// out the lower columns as fill creates them.
void fill(const ComponentPattern& pattern, std::int64_t max_pairs, SymbolicFactor& factor) {
  const std::int32_t size = pattern.num_states();
  const std::vector<std::int32_t> position = inverse_of(factor.order);
  std::vector<std::int32_t> seen_by(size, -1);
  std::vector<std::int32_t> upper;
  std::priority_queue<std::int32_t, std::vector<std::int32_t>, std::greater<>> lower;
  for (std::int32_t i = 0; i < size; ++i) {
    upper.clear();
    const auto visit = [&](std::int32_t column) {
      if (seen_by[column] == i) return;
      seen_by[column] = i;
      if (column < i) {
        lower.push(column);
      } else {
        upper.push_back(column);
      }
    };
    const std::int32_t state = factor.order[i];
    for (std::int32_t e = pattern.row_begin[state]; e < pattern.row_begin[state + 1]; ++e)
      visit(position[pattern.column[e]]);
    while (!lower.empty()) {
      const std::int32_t k = lower.top();
      lower.pop();
      factor.column.push_back(k);
      for (std::int64_t e = factor.middle[k]; e < factor.begin[k + 1]; ++e) {
        if (factor.column[e] == i) continue;  // a return to the row itself: GTH drops it
        ++factor.num_pairs;
        visit(factor.column[e]);
      }
    }
    SOJOURN_EXPECTS(factor.num_pairs <= max_pairs, ModelError,
                    "elimination: a component of {} states needs more than {} multiply-adds per parameter vector; "
                    "allowed are {}. Raise the memory limit (--max-memory) or use a model with a smaller component",
                    size, factor.num_pairs, max_pairs);
    factor.middle.push_back(factor.num_entries());
    std::sort(upper.begin(), upper.end());
    factor.column.insert(factor.column.end(), upper.begin(), upper.end());
    factor.begin.push_back(factor.num_entries());
  }
}

}  // namespace

SymbolicFactor factor_symbolically(const ComponentPattern& pattern, std::int64_t max_pairs) {
  SymbolicFactor factor;
  factor.order = minimum_degree_order(pattern.num_states(), pattern.row_begin, pattern.column);
  fill(pattern, max_pairs, factor);
  return factor;
}

std::string fault_of(const SymbolicFactor& factor, const ComponentPattern& pattern) {
  const std::int32_t size = pattern.num_states();
  const auto num_states = static_cast<std::size_t>(size);
  if (factor.order.size() != num_states || factor.begin.size() != num_states + 1 || factor.middle.size() != num_states)
    return "its sizes are not those of the component";
  std::vector<std::int32_t> position(num_states, -1);
  for (std::int32_t i = 0; i < size; ++i) {
    const std::int32_t state = factor.order[i];
    if (state < 0 || state >= size || position[state] >= 0) return "its order is no permutation";
    position[state] = i;
  }
  if (factor.begin[0] != 0 || factor.begin[size] != factor.num_entries()) return "its rows do not cover its entries";
  for (std::int32_t i = 0; i < size; ++i) {
    if (factor.begin[i] > factor.middle[i] || factor.middle[i] > factor.begin[i + 1] ||
        factor.begin[i + 1] > factor.num_entries())
      return "the bounds of a row are out of order";
    for (std::int64_t e = factor.begin[i]; e < factor.begin[i + 1]; ++e) {
      const std::int32_t column = factor.column[e];
      const bool lower = e < factor.middle[i];
      if (column < 0 || column >= size) return "a column is out of range";
      if (lower ? column >= i : column <= i) return "a column is on the wrong side of its row";
      if (e > factor.begin[i] && column <= factor.column[e - 1]) return "the columns of a row are not ascending";
    }
  }
  std::int64_t num_pairs = 0;
  for (std::int32_t i = 0; i < size; ++i) {
    const auto row_begin = factor.column.begin() + factor.begin[i],
               row_end = factor.column.begin() + factor.begin[i + 1];
    const std::int32_t state = factor.order[i];
    for (std::int32_t e = pattern.row_begin[state]; e < pattern.row_begin[state + 1]; ++e) {
      if (!std::binary_search(row_begin, row_end, position[pattern.column[e]])) return "an edge has no entry";
    }
    for (std::int64_t a = factor.begin[i]; a < factor.middle[i]; ++a) {
      const std::int32_t k = factor.column[a];
      const auto upper_begin = factor.column.begin() + factor.middle[k],
                 upper_end = factor.column.begin() + factor.begin[k + 1];
      num_pairs += (upper_end - upper_begin) - (std::binary_search(upper_begin, upper_end, i) ? 1 : 0);
    }
  }
  if (num_pairs != factor.num_pairs) return "its number of multiply-adds is wrong";
  return {};
}

std::int64_t count_both_ways(const ComponentPattern& pattern, std::span<const std::int32_t> order) {
  const std::int32_t size = pattern.num_states();
  std::vector<std::int32_t> position(size), begin(size + 1, 0), earlier(pattern.column.size());
  for (std::int32_t i = 0; i < size; ++i) position[order[i]] = i;
  // Links by their later end; those that go both ways are listed twice.
  const auto for_each_link = [&](auto&& visit) {
    for (std::int32_t state = 0; state < size; ++state)
      for (std::int32_t e = pattern.row_begin[state]; e < pattern.row_begin[state + 1]; ++e) {
        const std::int32_t a = position[state], b = position[pattern.column[e]];
        visit(std::max(a, b), std::min(a, b));
      }
  };
  for_each_link([&](std::int32_t late, std::int32_t) { ++begin[late + 1]; });
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<std::int32_t> next(begin.begin(), begin.end() - 1);
  for_each_link([&](std::int32_t late, std::int32_t early) { earlier[next[late]++] = early; });
  // Row i finds the rows below it on the ways up the elimination tree from its first neighbours (Liu 1990).
  std::vector<std::int32_t> parent(size, -1), met(size, -1);
  std::int64_t count = 0;
  for (std::int32_t i = 0; i < size; ++i) {
    met[i] = i;
    for (std::int32_t e = begin[i]; e < begin[i + 1]; ++e)
      for (std::int32_t k = earlier[e]; k < i && met[k] != i; k = parent[k]) {
        if (parent[k] < 0) parent[k] = i;
        met[k] = i;
        ++count;
      }
  }
  return count;
}

bool is_exact_fill(const SymbolicFactor& factor, const ComponentPattern& pattern) {
  const std::int32_t size = factor.num_states();
  const std::vector<std::int32_t> position = inverse_of(factor.order);
  // The last row that has an entry in a column, and the last one whose entry there has a reason.
  std::vector<std::int32_t> entered(size, -1), explained(size, -1);
  for (std::int32_t i = 0; i < size; ++i) {
    for (std::int64_t e = factor.begin[i]; e < factor.begin[i + 1]; ++e) entered[factor.column[e]] = i;
    const std::int32_t state = factor.order[i];
    for (std::int32_t e = pattern.row_begin[state]; e < pattern.row_begin[state + 1]; ++e)
      explained[position[pattern.column[e]]] = i;
    for (std::int64_t a = factor.begin[i]; a < factor.middle[i]; ++a) {
      const std::int32_t k = factor.column[a];
      for (std::int64_t b = factor.middle[k]; b < factor.begin[k + 1]; ++b) {
        const std::int32_t column = factor.column[b];
        if (column == i) continue;
        if (entered[column] != i) return false;
        explained[column] = i;
      }
    }
    for (std::int64_t e = factor.begin[i]; e < factor.begin[i + 1]; ++e) {
      if (explained[factor.column[e]] != i) return false;
    }
  }
  return true;
}

bool write_pairs(const SymbolicFactor& factor, const ComponentPattern& pattern, std::span<std::uint32_t> pairs_of,
                 std::span<PrcPair> pairs) {
  const std::int32_t size = factor.num_states();
  const std::int32_t* const column = factor.column.data();
  const std::vector<std::int32_t> position = inverse_of(factor.order);
  // The entry that the row entered last has in a column. Entries are numbered along the rows, so places of earlier rows
  // lie below those of this one.
  std::vector<std::int64_t> place_of(size, -1);
  std::vector<char> direct(size);
  std::vector<std::int64_t> next;  // by entry of the row: the count of its pairs, then where the next one goes
  std::int64_t sum = 0;
  for (std::int32_t i = 0; i < size; ++i) {
    const std::int64_t row_begin = factor.begin[i], row_end = factor.begin[i + 1];
    for (std::int64_t e = row_begin; e < row_end; ++e) place_of[column[e]] = e;
    next.assign(row_end - row_begin, 0);
    for (std::int64_t a = row_begin; a < factor.middle[i]; ++a) {
      const std::int32_t k = column[a];
      for (std::int64_t b = factor.middle[k]; b < factor.begin[k + 1]; ++b) {
        if (column[b] == i) continue;
        const std::int64_t entry = place_of[column[b]];
        if (entry < row_begin) return false;
        ++next[entry - row_begin];
      }
    }
    const std::int32_t state = factor.order[i];
    const auto mark = [&](char value) {
      for (std::int32_t e = pattern.row_begin[state]; e < pattern.row_begin[state + 1]; ++e)
        direct[position[pattern.column[e]]] = value;
    };
    mark(1);
    for (std::int64_t e = row_begin; e < row_end; ++e) {
      std::int64_t& place = next[e - row_begin];
      if (place == 0 && direct[column[e]] == 0) return false;
      pairs_of[e] = static_cast<std::uint32_t>(place);
      sum += std::exchange(place, sum);
    }
    mark(0);
    if (sum > std::ssize(pairs)) return false;
    // The columns read again and the row's pairs written are still in the core's cache.
    for (std::int64_t a = row_begin; a < factor.middle[i]; ++a) {
      const std::int32_t k = column[a];
      for (std::int64_t b = factor.middle[k]; b < factor.begin[k + 1]; ++b) {
        if (column[b] == i) continue;
        pairs[next[place_of[column[b]] - row_begin]++] = {static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)};
      }
    }
  }
  return sum == std::ssize(pairs);
}

}  // namespace sojourn
