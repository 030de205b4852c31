#include "cli/numbers.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "sojourn/error.hpp"

namespace sojourn::cli {
namespace {

TEST(ParseDouble, ReadsTheWholeTextOrNothing) {
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double(" +2e-3 "), 2e-3);
  EXPECT_EQ(parse_double("-.5"), -0.5);
  EXPECT_EQ(parse_double("inf"), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(parse_double("nan").value()));
  for (const char* text : {"", " ", "1,5", "1.5x", "0x10", "+-1", "one", "1 2"}) {
    EXPECT_FALSE(parse_double(text).has_value()) << text;
  }
}

TEST(ParseDouble, NumbersBeyondTheRangeBecomeInfiniteOrZero) {
  EXPECT_EQ(parse_double("1e999"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_double("-1e999"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_double("1e-999"), 0.0);
}

TEST(ParseWhole, RefusesWhatIsNotWrittenInDigits) {
  EXPECT_EQ(parse_whole("--particles", "200", 2), 200);
  for (const char* text : {"1e3", "2.0", "", "abc", "0x10", "99999999999999999999999"}) {
    EXPECT_THROW(parse_whole("--particles", text, 2), UsageError) << text;
  }
  EXPECT_THROW(parse_whole("--particles", "1", 2), UsageError);
  EXPECT_THROW(parse_whole("--particles", "-5", 2), UsageError);
  EXPECT_THROW(parse_whole("--particles", "11", 2, 10), UsageError);
}

TEST(ParseSeed, TakesTheWholeUnsignedRange) {
  EXPECT_EQ(parse_seed("--seed", "18446744073709551615"), 18446744073709551615ULL);
  for (const char* text : {"18446744073709551616", "-1", "1.0", "", "1e3"}) {
    EXPECT_THROW(parse_seed("--seed", text), UsageError) << text;
  }
}

TEST(ParseNumber, NamesFlagAndRange) {
  try {
    parse_number("--rtol", "2", 0, 1);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "--rtol: 2 must be a finite number, at least 0, at most 1");
  }
  EXPECT_THROW(parse_number("--rtol", "nan"), UsageError);
}

TEST(ParsePoints, ListsAndRangesMix) {
  EXPECT_EQ(parse_points("--pdf", "0.5,1:3:5,10", PointRule::kNonNegative),
            (std::vector<double>{0.5, 1, 1.5, 2, 2.5, 3, 10}));
  EXPECT_EQ(parse_points("--pdf", "2:9:1", PointRule::kNonNegative), std::vector<double>{2});
  EXPECT_EQ(parse_points("--pmf", "0:4:5", PointRule::kCount), (std::vector<double>{0, 1, 2, 3, 4}));
}

TEST(ParsePoints, TheEndOfARangeIsExact) {
  // lo + 1 * (hi - lo) would round here.
  EXPECT_EQ(parse_points("--pdf", "0.1:0.7:7", PointRule::kNonNegative).back(), 0.7);
}

TEST(ParsePoints, BreakingTheRuleIsAUsageError) {
  for (const char* text :
       {"-1", "nan", "inf", "1,,2", "", "1:2", "1:2:3:4", "1:2:0", "1:2:2.5", "a", "0:1:99999999999"}) {
    EXPECT_THROW(parse_points("--pdf", text, PointRule::kNonNegative), UsageError) << text;
  }
  EXPECT_THROW(parse_points("--pmf", "1.5", PointRule::kCount), UsageError);
  EXPECT_THROW(parse_points("--pmf", "0:3:3", PointRule::kCount), UsageError);
  for (const char* text : {"0", "1", "-0.5", "nan"}) {
    EXPECT_THROW(parse_points("--quantile", text, PointRule::kProbability), UsageError) << text;
  }
}

}  // namespace
}  // namespace sojourn::cli
