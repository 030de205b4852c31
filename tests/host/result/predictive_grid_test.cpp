#include "result/predictive_grid.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sojourn {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

bool strictly_ascending(const std::vector<double>& points) {
  return std::adjacent_find(points.begin(), points.end(), [](double a, double b) { return a >= b; }) == points.end();
}

TEST(PredictiveGrid, CoversTheDataFromZero) {
  const std::vector<Observation> items = {{1, 1}, {2, 3}, {5, kInf}};
  const PredictiveGrid grid = predictive_grid(items, TimeKind::kContinuous);
  EXPECT_EQ(grid.points.size(), 120U);
  EXPECT_EQ(grid.points.front(), 0);
  EXPECT_NEAR(grid.points.back(), 5.25, 1e-15);
  EXPECT_FALSE(grid.logarithmic);
  EXPECT_TRUE(strictly_ascending(grid.points));
}

TEST(PredictiveGrid, WholeNumbersInDiscreteTime) {
  const PredictiveGrid few = predictive_grid(std::vector<Observation>{{0, 0}, {7, 7}}, TimeKind::kDiscrete);
  EXPECT_EQ(few.points, (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  const PredictiveGrid many = predictive_grid(std::vector<Observation>{{3, 3}, {5000, 5000}}, TimeKind::kDiscrete);
  EXPECT_LE(many.points.size(), 120U);
  EXPECT_TRUE(strictly_ascending(many.points));
  for (const double point : many.points) EXPECT_EQ(point, std::round(point));
}

TEST(PredictiveGrid, GeometricWhereTheDataSpreadFar) {
  std::vector<Observation> items;
  for (int i = 0; i < 40; ++i) items.push_back({std::pow(10.0, i / 8.0), std::pow(10.0, i / 8.0)});
  const PredictiveGrid grid = predictive_grid(items, TimeKind::kContinuous);
  EXPECT_TRUE(grid.logarithmic);
  EXPECT_EQ(grid.points.front(), 1);
  EXPECT_NEAR(grid.points[1] / grid.points[0], grid.points[101] / grid.points[100], 1e-12);
}

TEST(PredictiveGrid, StartsAtTheEarliestEntry) {
  const PredictiveGrid grid = predictive_grid(std::vector<Observation>{{3, 3, 2}, {4, 4, 1}}, TimeKind::kContinuous);
  EXPECT_EQ(grid.entry, 1);
  EXPECT_EQ(grid.points.front(), 1);
}

TEST(PredictiveGrid, NothingPositive) {
  EXPECT_EQ(predictive_grid(std::vector<Observation>{{0, 0}}, TimeKind::kContinuous).points.back(), 1);
  EXPECT_EQ(predictive_grid({}, TimeKind::kDiscrete).points, (std::vector<double>{0, 1}));
}

}  // namespace
}  // namespace sojourn
