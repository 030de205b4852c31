#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "result/parameter_summary.hpp"

namespace sojourn {
namespace {

TEST(Quantile, ClosedFormOfWholeNumbers) {
  // Of 0..n-1 the type-7 quantile at p is (n - 1) p.
  std::vector<double> values(101);
  std::iota(values.begin(), values.end(), 0.0);
  for (const double p : {0.0, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 0.333, 1.0}) {
    EXPECT_NEAR(quantile_of_sorted(values, p), 100 * p, 1e-13);  // rounding of 100 p
  }
}

TEST(Quantile, FewValues) {
  EXPECT_TRUE(std::isnan(quantile_of_sorted({}, 0.5)));
  const double one[] = {3};
  EXPECT_EQ(quantile_of_sorted(one, 0.975), 3);
  const double two[] = {1, 2};
  EXPECT_EQ(quantile_of_sorted(two, 0.25), 1.25);
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double infinite[] = {1, kInf, kInf};
  EXPECT_EQ(quantile_of_sorted(infinite, 0.75), kInf);
}

TEST(Summarize, MomentsOfWholeNumbers) {
  std::vector<double> values = {5, 1, 4, 2, 3};
  const ParameterSummary summary = summarize_values(values);
  EXPECT_NEAR(summary.mean, 3, 1e-15);
  EXPECT_NEAR(summary.sd, std::sqrt(2.5), 1e-15);  // sum of squares 10 over n - 1 = 4
  EXPECT_NEAR(summary.q50, 3, 1e-15);
  EXPECT_NEAR(summary.q25, 2, 1e-15);
  EXPECT_NEAR(summary.q95, 4.8, 1e-14);
  EXPECT_NEAR(summary.q025, 1.1, 1e-14);
}

TEST(Summarize, SpreadFarFromZeroKeepsItsDigits) {
  // Sum of squares minus n mean^2 would leave nothing of sd 1 beside 1e9.
  const std::vector<double> values = {1e9 - 1, 1e9, 1e9 + 1};
  EXPECT_NEAR(summarize_values(values).sd, 1, 1e-12);
}

TEST(Summarize, OneValueHasNoSpread) {
  const double values[] = {2};
  EXPECT_EQ(summarize_values(values).mean, 2);
  EXPECT_TRUE(std::isnan(summarize_values(values).sd));
}

TEST(Summarize, NotFiniteIsNotANumber) {
  const double values[] = {2, std::nan(""), 1};
  EXPECT_TRUE(std::isnan(summarize_values(values).mean));
  EXPECT_TRUE(std::isnan(summarize_values(values).q50));
}

}  // namespace
}  // namespace sojourn
