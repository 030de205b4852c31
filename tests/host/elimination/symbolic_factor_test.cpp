#include "elimination/symbolic_factor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// A ring, so that it is one component, and random edges beside it.
ComponentPattern random_pattern(std::mt19937_64& random, std::int32_t size) {
  std::vector<std::set<std::int32_t>> rows(size);
  for (std::int32_t i = 0; i < size; ++i) rows[i].insert((i + 1) % size);
  const std::int64_t num_edges = std::uniform_int_distribution<std::int64_t>(0, 3 * size)(random);
  std::uniform_int_distribution<std::int32_t> any(0, size - 1);
  for (std::int64_t e = 0; e < num_edges; ++e) {
    const std::int32_t from = any(random), to = any(random);
    if (from != to) rows[from].insert(to);
  }
  ComponentPattern pattern;
  for (const auto& row : rows) {
    pattern.column.insert(pattern.column.end(), row.begin(), row.end());
    pattern.row_begin.push_back(static_cast<std::int32_t>(pattern.column.size()));
  }
  return pattern;
}

/// Fill and multiply-adds by elimination of a dense table: the definition itself.
struct DenseFill {
  std::vector<std::vector<char>> present;
  std::vector<std::vector<std::vector<std::int32_t>>> pivots;  ///< [row][column], ascending
  DenseFill(const ComponentPattern& pattern, const std::vector<std::int32_t>& order) {
    const std::int32_t size = pattern.num_states();
    std::vector<std::int32_t> position(size);
    for (std::int32_t i = 0; i < size; ++i) position[order[i]] = i;
    present.assign(size, std::vector<char>(size, 0));
    pivots.assign(size, std::vector<std::vector<std::int32_t>>(size));
    for (std::int32_t s = 0; s < size; ++s) {
      for (std::int32_t e = pattern.row_begin[s]; e < pattern.row_begin[s + 1]; ++e)
        present[position[s]][position[pattern.column[e]]] = 1;
    }
    for (std::int32_t k = 0; k < size; ++k) {
      for (std::int32_t i = k + 1; i < size; ++i) {
        for (std::int32_t j = k + 1; j < size; ++j) {
          if (i == j || !present[i][k] || !present[k][j]) continue;
          present[i][j] = 1;
          pivots[i][j].push_back(k);
        }
      }
    }
  }
};

TEST(SymbolicFactor, FillAndMultiplyAddsAreThoseOfDenseElimination) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 300; ++trial) {
    const ComponentPattern pattern = random_pattern(random, std::uniform_int_distribution<std::int32_t>(2, 24)(random));
    const SymbolicFactor factor = factor_symbolically(pattern, kNoLimit);
    ASSERT_EQ(fault_of(factor, pattern), "");
    const DenseFill dense(pattern, factor.order);
    std::vector<std::uint32_t> pairs_of(factor.num_entries());
    std::vector<PrcPair> pairs(factor.num_pairs);
    ASSERT_TRUE(write_pairs(factor, pattern, pairs_of, pairs));
    std::vector<std::int32_t> row_of;
    for (std::int32_t i = 0; i < factor.num_states(); ++i)
      row_of.insert(row_of.end(), factor.begin[i + 1] - factor.begin[i], i);
    std::int64_t e = 0, p = 0;
    for (std::int32_t i = 0; i < factor.num_states(); ++i) {
      for (std::int32_t j = 0; j < factor.num_states(); ++j) {
        if (!dense.present[i][j]) continue;
        ASSERT_EQ(factor.column[e], j);
        ASSERT_EQ(e < factor.middle[i], j < i);
        for (const std::int32_t k : dense.pivots[i][j]) {
          ASSERT_EQ(row_of[pairs[p].a], i);
          ASSERT_EQ(factor.column[pairs[p].a], k);
          ASSERT_EQ(row_of[pairs[p].b], k);
          ASSERT_EQ(factor.column[pairs[p].b], j);
          ++p;
        }
        ASSERT_EQ(pairs_of[e], dense.pivots[i][j].size());
        ++e;
      }
    }
    ASSERT_EQ(e, factor.num_entries());
    ASSERT_EQ(p, factor.num_pairs);
  }
}

/// Changes one number of a factor and asks whether the two checks together notice, without ever running out of bounds
/// (the sanitizer builds watch that).
TEST(SymbolicFactor, NoChangedNumberPasses) {
  std::mt19937_64 random(2);
  std::int64_t num_mutants = 0;
  for (int trial = 0; trial < 30; ++trial) {
    const ComponentPattern pattern = random_pattern(random, 12);
    const SymbolicFactor factor = factor_symbolically(pattern, kNoLimit);
    const auto expect_refused = [&](const SymbolicFactor& mutant, const char* what, std::size_t where) {
      ++num_mutants;
      if (!fault_of(mutant, pattern).empty()) return;
      std::vector<std::uint32_t> pairs_of(mutant.num_entries());
      std::vector<PrcPair> pairs(mutant.num_pairs);
      EXPECT_FALSE(write_pairs(mutant, pattern, pairs_of, pairs)) << what << ' ' << where;
    };
    const std::vector<std::int64_t> shifts{-1000000007LL, -1, 1, 1000000007LL};
    for (const std::int64_t shift : shifts) {
      const auto with = [&](auto member, const char* what) {
        for (std::size_t k = 0; k < (factor.*member).size(); ++k) {
          SymbolicFactor mutant = factor;
          auto& number = (mutant.*member)[k];
          number = static_cast<std::remove_reference_t<decltype(number)>>(number + shift);
          expect_refused(mutant, what, k);
        }
      };
      with(&SymbolicFactor::order, "order");
      with(&SymbolicFactor::begin, "begin");
      with(&SymbolicFactor::middle, "middle");
      with(&SymbolicFactor::column, "column");
      SymbolicFactor mutant = factor;
      mutant.num_pairs += shift;
      expect_refused(mutant, "num_pairs", 0);
    }
    // An entry that elimination does not make, with everything else adjusted to it.
    const DenseFill dense(pattern, factor.order);
    for (std::int32_t i = 0; i < factor.num_states(); ++i) {
      for (std::int32_t j = i + 1; j < factor.num_states(); ++j) {
        if (dense.present[i][j]) continue;
        SymbolicFactor mutant = factor;
        const auto row = mutant.column.begin();
        const auto place = std::lower_bound(row + factor.middle[i], row + factor.begin[i + 1], j);
        mutant.column.insert(place, j);
        for (std::int32_t k = i + 1; k < factor.num_states(); ++k) ++mutant.middle[k];
        for (std::int32_t k = i + 1; k <= factor.num_states(); ++k) ++mutant.begin[k];
        for (std::int32_t k = i + 1; k < factor.num_states(); ++k) mutant.num_pairs += dense.present[k][i] && k != j;
        expect_refused(mutant, "extra entry", i);
      }
    }
  }
  EXPECT_GT(num_mutants, 10'000);
}

TEST(SymbolicFactor, RefusesBeyondTheLimit) {
  std::mt19937_64 random(3);
  const ComponentPattern pattern = random_pattern(random, 24);
  const std::int64_t needed = factor_symbolically(pattern, kNoLimit).num_pairs;
  EXPECT_NO_THROW(factor_symbolically(pattern, needed));
  EXPECT_THROW(factor_symbolically(pattern, needed - 1), ModelError);
}

}  // namespace
}  // namespace sojourn
