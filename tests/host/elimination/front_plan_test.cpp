#include "elimination/front_plan.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <limits>
#include <random>
#include <set>

#include "common/prc_replay.hpp"
#include "common/strided.hpp"
#include "elimination_cases.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// Rates over four decades. Symmetric: groups of states, each state linked to those of its own and the next groups.
/// Otherwise nearly all links there are, each missing in one direction or both with some probability.
StateGraph random_component(std::mt19937_64& random, std::int32_t size, bool symmetric) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(size + 1);
  const std::int32_t group = std::uniform_int_distribution<std::int32_t>(14, 30)(random);
  std::bernoulli_distribution missing(std::uniform_real_distribution<double>(0, 0.01)(random));
  std::set<std::pair<std::int32_t, std::int32_t>> links;
  for (std::int32_t i = 0; i < size; ++i) {
    if (!symmetric) links.insert({i, (i + 1) % size});
    for (std::int32_t j = 0; j < size; ++j) {
      if (i == j) continue;
      if (symmetric ? std::abs(i / group - j / group) <= 1 : !missing(random)) links.insert({i, j});
    }
  }
  std::uniform_real_distribution<double> exponent(-2, 2);
  const auto add = [&](std::int32_t from, std::int32_t to) {
    const RateTerm term{0, std::pow(10.0, exponent(random))};
    builder.add_edge(from, to, 0, {&term, 1});
  };
  for (const auto& [from, to] : links) add(from, to);
  for (std::int32_t i = 0; i < size; i += 7) add(i, size);
  builder.add_initial(0, 1);
  return std::move(builder).build();
}

struct NoKill {
  double operator()(std::int32_t) const { return 0; }
};

/// x = A^-1 1 and y = A^-T 1 of a program of one component, by row.
std::pair<std::vector<double>, std::vector<double>> replay(const PrcView& prc, double rate) {
  const PrcComponent& component = prc.components[0];
  const std::size_t num_rows = prc.num_rows;
  const std::vector<double> rates{1.0, rate};
  std::vector<double> entry(component.entry_end), exit(num_rows), inverse(num_rows), x(num_rows), y(num_rows, 1.0);
  factor_component<double>(prc, component, rates, NoKill{}, entry, exit, inverse, IgnorePivots{});
  solve_component<OwnSlots, double>(
      prc, component, rates, entry, inverse, [](std::int32_t) { return 1.0; }, x);
  transposed_solve_component<double>(prc, component, rates, entry, inverse, y);
  return {x, y};
}

class Fronts : public testing::Test {
 protected:
  void SetUp() override {
    EliminationSettings off;
    off.cache = CacheMode::kOff;
    configure_elimination(off);
  }
};

TEST_F(Fronts, SolutionsAreThoseOfDenseMatrices) {
  std::mt19937_64 random(3);
  int num_by_fronts = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const std::int32_t size = std::uniform_int_distribution<std::int32_t>(60, 160)(random);
    const StateGraph graph = random_component(random, size, trial % 2 == 0);
    const Prc prc = eliminate(graph);
    const PrcArrays& arrays = prc.arrays();
    ASSERT_EQ(prc.cost().num_components, 1);
    if (arrays.fronts.empty()) continue;
    ++num_by_fronts;
    EXPECT_TRUE(arrays.pairs.empty());
    const double rate = 1.7;
    Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic> matrix =
        Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>::Zero(size, size);
    for (std::int32_t s = 0; s < size; ++s) {
      for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
        const long double weight = static_cast<long double>(graph.terms(e)[0].coefficient) * rate;
        matrix(s, s) += weight;
        if (graph.edge_to(e) < size) matrix(s, graph.edge_to(e)) -= weight;
      }
    }
    const Eigen::Matrix<long double, Eigen::Dynamic, 1> ones =
        Eigen::Matrix<long double, Eigen::Dynamic, 1>::Ones(size);
    const auto lu = matrix.partialPivLu();
    const Eigen::Matrix<long double, Eigen::Dynamic, 1> x = lu.solve(ones), y = lu.transpose().solve(ones);
    const auto [our_x, our_y] = replay(arrays.view(), rate);
    // Elimination by exit sums rounds a few times a row; the long double reference has 11 bits more, of which a
    // condition of some thousands takes no more than that.
    for (std::int32_t r = 0; r < size; ++r) {
      const std::int32_t state = arrays.state_of_row[r];
      EXPECT_NEAR(our_x[r], static_cast<double>(x(state)), 1e-13 * static_cast<double>(x(state)));
      EXPECT_NEAR(our_y[r], static_cast<double>(y(state)), 1e-13 * static_cast<double>(y(state)));
    }
  }
  EXPECT_GE(num_by_fronts, 30);
}

/// A loop of states with a tiny exit: what subtraction loses (here all digits of an exit of 1e-18) sums of exits keep.
TEST_F(Fronts, TinyExitsKeepTheirDigits) {
  constexpr std::int32_t kSize = 60;
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(kSize + 1);
  const auto add = [&](std::int32_t from, std::int32_t to, double weight) {
    const RateTerm term{0, weight};
    builder.add_edge(from, to, 0, {&term, 1});
  };
  for (std::int32_t i = 0; i < kSize; ++i) {
    for (std::int32_t j = 0; j < kSize; ++j) {
      if (i != j) add(i, j, 1.0);
    }
    add(i, kSize, 1e-18);
  }
  builder.add_initial(0, 1);
  const Prc prc = eliminate(std::move(builder).build());
  ASSERT_FALSE(prc.arrays().fronts.empty());
  // Every state leaves at the same rate, so the mean is its inverse.
  for (const double value : replay(prc.arrays().view(), 2.0).first) EXPECT_NEAR(value, 0.5e18, 1e-13 * 0.5e18);
}

TEST_F(Fronts, HoldEachMultiplyAddOnceAndCoverTheRows) {
  std::mt19937_64 random(5);
  int num_by_fronts = 0;
  for (int trial = 0; trial < 10; ++trial) {
    const StateGraph graph = random_component(random, 100, trial % 2 == 0);
    const Prc prc = eliminate(graph);
    const PrcArrays& arrays = prc.arrays();
    if (arrays.fronts.empty()) continue;
    ++num_by_fronts;
    std::int32_t next = 0;
    std::int64_t sum = 0;
    for (const PrcFront& front : arrays.fronts) {
      EXPECT_EQ(front.row_begin, next);
      EXPECT_LE(front.row_end - front.row_begin, kMostFrontRows);
      next = front.row_end;
      sum += multiply_adds_of(front, arrays.front_slots);
    }
    EXPECT_EQ(next, 100);
    std::int64_t num_lower = 0;
    for (const PrcRow& row : arrays.rows) num_lower += row.entry_middle - row.entry_begin;
    EXPECT_EQ(sum + num_lower, arrays.cost.factor_multiply_adds);
  }
  EXPECT_GE(num_by_fronts, 6);
}

/// Numbers of a device's lane lie a stride apart.
TEST_F(Fronts, StridedNumbersHaveTheSameBits) {
  std::mt19937_64 random(9);
  const Prc prc = eliminate(random_component(random, 90, true));
  const PrcView view = prc.arrays().view();
  ASSERT_FALSE(prc.arrays().fronts.empty());
  const PrcComponent& component = view.components[0];
  const std::vector<double> rates{1.0, 0.6};
  const std::size_t num_entries = component.entry_end, num_rows = view.num_rows;
  std::vector<double> entry(num_entries), exit(num_rows), inverse(num_rows);
  factor_component<double>(view, component, rates, NoKill{}, entry, exit, inverse, IgnorePivots{});
  constexpr std::size_t kStride = 3;
  std::vector<double> room(kStride * (num_entries + 2 * num_rows));
  const Strided<double> all{room.data() + 1, kStride};
  const Strided<double> of_rows = all.from(static_cast<std::int64_t>(num_entries));
  const Strided<double> inverses = of_rows.from(static_cast<std::int64_t>(num_rows));
  factor_component<double>(view, component, rates, NoKill{}, all, of_rows, inverses, IgnorePivots{});
  for (std::size_t e = 0; e < num_entries; ++e) EXPECT_EQ(all[e], entry[e]);
  for (std::size_t v = 0; v < num_rows; ++v) EXPECT_EQ(inverses[v], inverse[v]);
}

/// Equal components share their fronts.
TEST_F(Fronts, AreSharedByComponentsOfOnePattern) {
  constexpr std::int32_t kSize = 50;
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(2 * kSize + 1);
  const RateTerm term{0, 1.0};
  for (std::int32_t first = 0; first < 2 * kSize; first += kSize) {
    for (std::int32_t i = 0; i < kSize; ++i) {
      for (std::int32_t j = 0; j < kSize; ++j) {
        if (i != j) builder.add_edge(first + i, first + j, 0, {&term, 1});
      }
    }
    builder.add_edge(first, first + kSize, 0, {&term, 1});
  }
  builder.add_initial(0, 1);
  const Prc prc = eliminate(std::move(builder).build());
  const PrcArrays& arrays = prc.arrays();
  ASSERT_EQ(arrays.components.size(), 2U);
  EXPECT_LT(arrays.components[0].front_begin, arrays.components[0].front_end);
  EXPECT_EQ(arrays.components[0].front_begin, arrays.components[1].front_begin);
  EXPECT_EQ(arrays.components[0].front_end, arrays.components[1].front_end);
}

TEST_F(Fronts, ExactFillIsToldFromOtherEntries) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 100; ++trial) {
    const StateGraph graph = random_component(random, 40, true);
    ComponentPattern pattern;
    for (std::int32_t s = 0; s < 40; ++s) {
      std::set<std::int32_t> columns;
      for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
        if (graph.edge_to(e) < 40) columns.insert(graph.edge_to(e));
      }
      pattern.column.insert(pattern.column.end(), columns.begin(), columns.end());
      pattern.row_begin.push_back(static_cast<std::int32_t>(pattern.column.size()));
    }
    SymbolicFactor factor = factor_symbolically(pattern, kNoLimit);
    EXPECT_TRUE(is_exact_fill(factor, pattern));
    // One entry that nothing asks for, in the first row that has a gap behind its diagonal.
    for (std::int32_t i = 0; i < 40; ++i) {
      const std::int64_t last = factor.begin[i + 1];
      if (factor.middle[i] == last || factor.column[last - 1] == 39) continue;
      factor.column.insert(factor.column.begin() + last, 39);
      for (std::int32_t j = i + 1; j < 40; ++j) ++factor.middle[j];
      for (std::int32_t j = i + 1; j <= 40; ++j) ++factor.begin[j];
      EXPECT_FALSE(is_exact_fill(factor, pattern));
      break;
    }
  }
}

}  // namespace
}  // namespace sojourn
