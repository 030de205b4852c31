#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sojourn::cli {
namespace {

SvgdProgress at(std::int64_t iteration) { return {iteration, 500, 1.0, 3.14, -123.456, 0.1}; }

TEST(Progress, TextSaysHowFarAndHowLong) {
  EXPECT_EQ(progress_text(at(150)), " 30 %  iteration 150/500  3.14 s left  mean log density -123.456");
  const double unknown = std::nan("");
  EXPECT_EQ(progress_text({0, 500, 7.5, unknown, unknown, unknown}),
            "  0 %  iteration 0/500  finding the start, 7.50 s so far");
  EXPECT_EQ(progress_text({0, 500, 7.5, unknown, -3, unknown}), "  0 %  iteration 0/500  mean log density -3");
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
    const double unknown = std::nan("");
    progress.update({0, 500, 1.0, unknown, unknown, unknown});  // the start is under way
    for (std::int64_t i = 0; i <= 500; ++i) progress.update(at(i));
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 11);
  EXPECT_EQ(lines.substr(0, 5), "  0 %");
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
