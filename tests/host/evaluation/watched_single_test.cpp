#include "common/watched_single.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sojourn {
namespace {

double product(double a, double b) { return widened(WatchedSingle(a) * WatchedSingle(b)); }
double added(double acc, double a, double b) {
  WatchedSingle sum(acc);
  add_product(sum, WatchedSingle(a), WatchedSingle(b));
  return widened(sum);
}

TEST(WatchedSingle, RoundsOnce) {
  EXPECT_EQ(product(3, 0.25), 0.75);
  // 1 + 2^-23 times itself is 1 + 2^-22 + 2^-46, which the sum sees before it is rounded.
  const double above = 1 + 0x1p-23;
  EXPECT_EQ(added(0x1p-24, above, above), static_cast<double>(static_cast<float>(above * above + 0x1p-24)));
  EXPECT_EQ(widened(reciprocal(WatchedSingle(8.0))), 0.125);
  EXPECT_EQ(widened(WatchedSingle(1.0) + WatchedSingle(0x1p-24)), 1.0);
}

/// What is too small loses its digits or vanishes without a flag; here it is nothing, and stays nothing.
TEST(WatchedSingle, TooSmallIsNothing) {
  for (const double small : {1e-39, 1e-45, 1e-200}) EXPECT_TRUE(std::isnan(widened(WatchedSingle(small)))) << small;
  EXPECT_TRUE(std::isnan(product(1e-20, 1e-19)));
  EXPECT_TRUE(std::isnan(product(1e-30, 1e-30)));
  EXPECT_TRUE(std::isnan(added(0, 1e-30, 1e-30)));
  EXPECT_TRUE(std::isnan(widened(reciprocal(WatchedSingle(3e38)))));
  const WatchedSingle nothing = WatchedSingle(1e-30) * WatchedSingle(1e-30);
  EXPECT_TRUE(std::isnan(widened(nothing * WatchedSingle(0.0))));
  EXPECT_TRUE(std::isnan(widened(nothing + WatchedSingle(1.0))));
  EXPECT_TRUE(std::isnan(widened(reciprocal(nothing))));
  EXPECT_TRUE(std::isnan(added(1, widened(nothing), 0)));
}

TEST(WatchedSingle, ZerosAreExact) {
  EXPECT_EQ(widened(WatchedSingle(0.0)), 0);
  EXPECT_EQ(product(0, 1e30), 0);
  EXPECT_EQ(added(0, 0, 5), 0);
  EXPECT_EQ(added(0, 1e-30, 0), 0);
}

/// A small term of a sum that is not small costs nothing but its rounding.
TEST(WatchedSingle, SmallTermsOfLargerSumsAreKept) { EXPECT_EQ(added(1, 1e-30, 1e-30), 1); }

TEST(WatchedSingle, TooLargeStaysTooLarge) {
  EXPECT_TRUE(std::isinf(widened(WatchedSingle(1e39))));
  EXPECT_TRUE(std::isinf(product(1e20, 1e20)));
  EXPECT_TRUE(std::isinf(added(1, 1e20, 1e20)));
  EXPECT_FALSE(std::isfinite(widened(reciprocal(WatchedSingle(1e20) * WatchedSingle(1e20)))));
  EXPECT_FALSE(std::isfinite(widened(WatchedSingle(0.0) * WatchedSingle(1e39))));
}

}  // namespace
}  // namespace sojourn
