#include "cli/bench_cases.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sojourn/error.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn::cli {
namespace {

TEST(BenchCases, EveryCaseHasACentreInsideItsRanges) {
  for (const std::string& name : bench_case_names(true)) {
    const BenchCase one = make_bench_case(name, "", {});
    EXPECT_EQ(one.name, name);
    ASSERT_EQ(one.centre.size(), one.model.parameters.size()) << name;
    for (std::size_t p = 0; p < one.centre.size(); ++p) {
      EXPECT_GT(one.centre[p], one.model.parameters[p].lower) << name;
      EXPECT_LT(one.centre[p], one.model.parameters[p].upper) << name;
    }
  }
}

TEST(BenchCases, QuickOnesAreAmongAll) {
  const std::vector<std::string> all = bench_case_names(false);
  for (const std::string& name : bench_case_names(true)) EXPECT_THAT(all, testing::Contains(name));
  EXPECT_THAT(all, testing::Contains("grid_100x100"));
}

TEST(BenchCases, UnknownNameSuggests) {
  try {
    make_bench_case("grid_100x10", "", {});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'grid_100x100'?"));
  }
}

TEST(GridWalk, CountsOfTheLargeOne) {
  const Model model = grid_walk(100);
  EXPECT_EQ(model.graph.num_states(), 10'001);
  // 4 * 100 * 99 steps inside, and one edge out of each of the 396 places at the border.
  EXPECT_EQ(model.graph.num_edges(), 39'600 + 396);
}

TEST(GridWalk, MeanOfTwoByTwo) {
  // Every place has two neighbours and two borders, so the walk leaves at rate 2 l wherever it is.
  const Evaluator evaluator(grid_walk(2), {.num_threads = 1});
  const std::vector<double> theta{3.0, 0.7};
  const Quantity mean = evaluator.moments({theta.data(), 1, 2}, evaluator.model().graph.unit_reward(), 1, false);
  EXPECT_NEAR(mean.values(0, 0), 1 / 1.4, 1e-14);
}

TEST(GridWalk, MeanOfThreeByThree) {
  // From the middle: m = 1/(4 s) + e; from an edge (one border, neighbours: middle and two corners)
  // (3 s + l) e = 1 + s m + 2 s c; from a corner (2 s + 2 l) c = 1 + 2 s e.
  const double s = 1.5, l = 0.4;
  const double e = (1 + 0.25 + 2 * s / (2 * s + 2 * l)) / (3 * s + l - s - 4 * s * s / (2 * s + 2 * l));
  const Evaluator evaluator(grid_walk(3), {.num_threads = 1});
  const std::vector<double> theta{s, l};
  const Quantity mean = evaluator.moments({theta.data(), 1, 2}, evaluator.model().graph.unit_reward(), 1, false);
  EXPECT_NEAR(mean.values(0, 0), 1 / (4 * s) + e, 1e-13);
}

TEST(GridWalk, RefusesSides) {
  EXPECT_THROW(grid_walk(1), UsageError);
  EXPECT_THROW(grid_walk(1001), UsageError);
}

}  // namespace
}  // namespace sojourn::cli
