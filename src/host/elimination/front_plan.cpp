#include "elimination/front_plan.hpp"

#include <algorithm>
#include <numeric>

#include "expects.hpp"

namespace sojourn {
namespace {

/// Multiply-adds for each target from which on fronts are the quicker way, and multiply-adds for each entry below which
/// no component has as many. Measured in docs/decisions/0013.
constexpr std::int64_t kPairsPerTarget = 5;
constexpr std::int64_t kPairsPerEntry = 10;

/// The lower entries of a factor by column.
struct LowerColumns {
  std::vector<std::int64_t> begin;   ///< [n + 1]
  std::vector<std::int32_t> row;     ///< [lower entries] ascending in each column
  std::vector<std::uint32_t> entry;  ///< [lower entries]

  explicit LowerColumns(const SymbolicFactor& factor) : begin(factor.num_states() + 1, 0) {
    const std::int32_t size = factor.num_states();
    for (std::int32_t i = 0; i < size; ++i) {
      for (std::int64_t e = factor.begin[i]; e < factor.middle[i]; ++e) ++begin[factor.column[e] + 1];
    }
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    row.resize(begin.back());
    entry.resize(begin.back());
    std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
    for (std::int32_t i = 0; i < size; ++i) {
      for (std::int64_t e = factor.begin[i]; e < factor.middle[i]; ++e) {
        const std::int64_t place = next[factor.column[e]]++;
        row[place] = i;
        entry[place] = static_cast<std::uint32_t>(e);
      }
    }
  }
};

/// Whether row v + 1 keeps what row v does, and the same rows below need both.
bool joins(const SymbolicFactor& factor, const LowerColumns& lower, std::int32_t v) {
  const auto same = [v](const auto& values, std::int64_t first, std::int64_t middle, std::int64_t last) {
    return middle > first && values[first] == v + 1 && middle - first - 1 == last - middle &&
           std::equal(values.begin() + first + 1, values.begin() + middle, values.begin() + middle);
  };
  // The upper entries of the two rows are not side by side, their lower ones by column are.
  const std::int64_t first = factor.middle[v], middle = factor.begin[v + 1];
  const std::int64_t next = factor.middle[v + 1], last = factor.begin[v + 2];
  return middle > first && factor.column[first] == v + 1 && middle - first - 1 == last - next &&
         std::equal(factor.column.begin() + first + 1, factor.column.begin() + middle, factor.column.begin() + next) &&
         same(lower.row, lower.begin[v], lower.begin[v + 1], lower.begin[v + 2]);
}

}  // namespace

bool fronts_pay(std::int64_t num_pairs, std::int64_t num_entries, std::int64_t num_targets) {
  return num_pairs >= kPairsPerEntry * num_entries && num_pairs >= kPairsPerTarget * num_targets;
}

FrontPlan plan_fronts(const SymbolicFactor& factor) {
  if (!fronts_pay(factor.num_pairs, factor.num_entries(), 0)) return {};
  const std::int32_t size = factor.num_states();
  const LowerColumns lower(factor);
  FrontPlan plan;
  std::int64_t num_targets = 0;
  for (std::int32_t first = 0; first < size;) {
    std::int32_t end = first + 1;
    while (end < size && end - first < kMostFrontRows && joins(factor, lower, end - 1)) ++end;
    const std::int64_t num_lower = lower.begin[end] - lower.begin[end - 1];
    const std::int64_t num_upper = factor.begin[end] - factor.middle[end - 1];
    plan.fronts.push_back({first, end, static_cast<std::int32_t>(num_lower), static_cast<std::int32_t>(num_upper),
                           plan.num_slots, plan.num_slots + num_lower});
    plan.num_slots += num_lower * (1 + num_upper);
    num_targets += num_lower * num_upper;
    first = end;
  }
  if (!fronts_pay(factor.num_pairs, factor.num_entries(), num_targets)) return {};
  return plan;
}

void write_front_slots(const SymbolicFactor& factor, const FrontPlan& plan, std::vector<std::uint32_t>& slots) {
  const LowerColumns lower(factor);
  for (const PrcFront& front : plan.fronts) {
    const std::int32_t last = front.row_end - 1;
    // The front's own rows come first among those that need its first column.
    for (std::int64_t p = lower.begin[front.row_begin + 1] - front.num_lower; p < lower.begin[front.row_begin + 1]; ++p)
      slots.push_back(lower.entry[p]);
    for (std::int64_t p = lower.begin[last]; p < lower.begin[last + 1]; ++p) {
      const std::int32_t row = lower.row[p];
      auto entry = factor.column.begin() + factor.begin[row];
      const auto row_end = factor.column.begin() + factor.begin[row + 1];
      for (std::int64_t u = factor.middle[last]; u < factor.begin[last + 1]; ++u) {
        const std::int32_t column = factor.column[u];
        if (column == row) {
          slots.push_back(kNoSlot);
          continue;
        }
        entry = std::find(entry, row_end, column);
        SOJOURN_ASSERT(entry != row_end);
        slots.push_back(static_cast<std::uint32_t>(entry - factor.column.begin()));
      }
    }
  }
}

}  // namespace sojourn
