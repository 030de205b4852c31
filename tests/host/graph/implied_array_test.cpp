#include "sojourn/implied_array.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace sojourn {
namespace {

struct Squares {
  static std::int64_t at(std::size_t i) { return static_cast<std::int64_t>(i * i); }
};
using Array = ImpliedArray<std::int64_t, Squares>;

TEST(ImpliedArray, HoldsNothingUntilAnElementDiffers) {
  Array array;
  for (std::int64_t i = 0; i < 1000; ++i) array.push_back(i * i);
  EXPECT_FALSE(array.is_held());
  EXPECT_EQ(array.num_bytes(), 0U);
  EXPECT_EQ(array.size(), 1000U);
  array.push_back(-7);
  array.push_back(1001 * 1001);
  EXPECT_TRUE(array.is_held());
  ASSERT_EQ(array.size(), 1002U);
  for (std::size_t i = 0; i < 1002; ++i) EXPECT_EQ(array[i], i == 1000 ? -7 : Squares::at(i)) << i;
  EXPECT_EQ(array.front(), 0);
  EXPECT_EQ(array.back(), 1001 * 1001);
}

TEST(ImpliedArray, DiffersFromTheFirstElementOn) {
  Array array;
  array.push_back(5);
  array.push_back(1);
  EXPECT_EQ(array[0], 5);
  EXPECT_EQ(array[1], 1);
  array.clear();
  EXPECT_FALSE(array.is_held());
  EXPECT_EQ(array.size(), 0U);
}

TEST(ImpliedArray, MayBeHeldWhileEmptyAndThenExtended) {
  Array array;
  array.hold();
  array.extend(3);
  for (std::size_t i = 0; i < 3; ++i) array.set(i, 10);
  EXPECT_EQ(array.size(), 3U);
  EXPECT_EQ(array[2], 10);
  Array implied;
  implied.extend(4);
  EXPECT_EQ(implied[3], 9);
  implied.hold();
  EXPECT_EQ(implied[3], 9);
}

}  // namespace
}  // namespace sojourn
