// Rows of integers in as few bytes as their values need.
#include "sojourn/integer_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace sojourn {
namespace {

using ::testing::ElementsAre;

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();

void append(IntegerRows& rows, std::vector<std::int32_t> values) { rows.append(values); }

TEST(IntegerRows, WidensForTheFirstValueThatNeedsIt) {
  IntegerRows rows(3);
  append(rows, {-128, 0, 127});
  EXPECT_EQ(rows.row_bytes(), 3);
  append(rows, {128, -1, 5});
  EXPECT_EQ(rows.row_bytes(), 6);
  append(rows, {-32'768, 32'767, 6});
  EXPECT_EQ(rows.row_bytes(), 6);
  append(rows, {1, 2, 32'768});
  EXPECT_EQ(rows.row_bytes(), 12);
  append(rows, {kLowest, kHighest, -1});
  EXPECT_EQ(rows.size(), 5);
  EXPECT_THAT(rows.values(0), ElementsAre(-128, 0, 127));
  EXPECT_THAT(rows.values(1), ElementsAre(128, -1, 5));
  EXPECT_THAT(rows.values(2), ElementsAre(-32'768, 32'767, 6));
  EXPECT_THAT(rows.values(3), ElementsAre(1, 2, 32'768));
  EXPECT_THAT(rows.values(4), ElementsAre(kLowest, kHighest, -1));
}

/// Each limit on either side, of one value and among others, and straight to four bytes.
TEST(IntegerRows, KnowsWhatFits) {
  for (const auto& [value, bytes] : {std::pair{127, 1},
                                     {-128, 1},
                                     {128, 2},
                                     {-129, 2},
                                     {32'767, 2},
                                     {-32'768, 2},
                                     {32'768, 4},
                                     {-32'769, 4},
                                     {kHighest, 4},
                                     {kLowest, 4}}) {
    IntegerRows rows(2);
    for (const int held : {1, 2, 4}) {
      const std::int32_t row[] = {3, value};
      if (held == 2) append(rows, {300, 0});
      if (held == 4) append(rows, {70'000, 0});
      ASSERT_EQ(rows.row_bytes(), 2 * held);
      EXPECT_EQ(rows.fits(value), bytes <= held) << value << " in " << held;
      EXPECT_EQ(rows.fits(row), bytes <= held) << value << " in " << held;
    }
    IntegerRows fresh(2);
    append(fresh, {3, value});
    EXPECT_EQ(fresh.row_bytes(), 2 * bytes) << value;
    EXPECT_THAT(fresh.values(0), ElementsAre(3, value));
  }
}

TEST(IntegerRows, PutsSingleValues) {
  for (const std::int32_t large : {1, 300, 70'000}) {
    IntegerRows rows(3);
    append(rows, {1, 2, 3});
    append(rows, {4, large, 6});
    rows.put(rows.row(1), 2, -7);
    rows.put(rows.row(0), 0, 9);
    EXPECT_THAT(rows.values(0), ElementsAre(9, 2, 3));
    EXPECT_THAT(rows.values(1), ElementsAre(4, large, -7));
  }
}

TEST(IntegerRows, CountsRowsOfNothing) {
  IntegerRows rows;
  rows.append({});
  rows.append({});
  EXPECT_EQ(rows.size(), 2);
  EXPECT_EQ(rows.row_bytes(), 0);
  EXPECT_TRUE(rows.values(1).empty());
}

TEST(IntegerRows, KeepsRowsWhenResized) {
  IntegerRows rows(1);
  append(rows, {5});
  append(rows, {300});
  rows.resize(1);
  append(rows, {6});
  EXPECT_EQ(rows.size(), 2);
  EXPECT_THAT(rows.values(0), ElementsAre(5));
  EXPECT_THAT(rows.values(1), ElementsAre(6));
}

}  // namespace
}  // namespace sojourn
