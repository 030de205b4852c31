#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sojourn::cli {
namespace {

SvgdProgress at(std::int64_t iteration) { return {iteration, 500, 1.0, 3.14, -123.456, 0.1}; }

TEST(Progress, TextSaysHowFarAndHowLong) {
  EXPECT_EQ(progress_text(at(150)), " 30 %  iteration 150/500  3.14 s left  mean log density -123.456");
}

TEST(Progress, BarFillsFromEmptyToFull) {
  EXPECT_EQ(progress_bar(at(0)).substr(0, 33), "[------------------------------] ");
  EXPECT_EQ(progress_bar(at(150)).substr(0, 33), "[#########---------------------] ");
  EXPECT_EQ(progress_bar(at(500)).substr(0, 33), "[##############################] ");
}

TEST(Progress, OneLineForEachTenthPassed) {
  testing::internal::CaptureStderr();
  {
    Progress progress(Progress::Style::kLines);
    for (std::int64_t i = 0; i <= 500; ++i) progress.update(at(i));
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 10);
  EXPECT_EQ(lines.substr(0, 5), " 10 %");
}

TEST(Progress, BarEndsItsLineAndQuietPrintsNothing) {
  testing::internal::CaptureStderr();
  {
    Progress bar(Progress::Style::kBar);
    bar.update(at(3));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr().back(), '\n');
  testing::internal::CaptureStderr();
  {
    Progress quiet(Progress::Style::kQuiet);
    quiet.update(at(250));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace sojourn::cli
