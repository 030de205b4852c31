#include "cli/text_table.hpp"

#include <gtest/gtest.h>

namespace sojourn::cli {
namespace {

TEST(TextTable, AlignsAndLeavesEmptyColumnsOut) {
  TextTable table({"name", "unused", "value"});
  table.add({"a", "", "1"});
  table.add({"long name", "", "2"});
  EXPECT_EQ(table.text(), "name       value\na          1\nlong name  2\n");
}

TEST(FormatCount, GroupsThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_count(-123), "-123");
  EXPECT_EQ(format_count(-1234), "-1,234");
}

TEST(FormatDuration, FromMillisecondsToHours) {
  EXPECT_EQ(format_duration(0.854), "0.85 s");
  EXPECT_EQ(format_duration(12.3), "12 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 05 min");
  EXPECT_EQ(format_duration(-1), "?");
}

}  // namespace
}  // namespace sojourn::cli
