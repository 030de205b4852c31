#include "sampler/watched_target.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/sampler/analytic_targets.hpp"

namespace sojourn {
namespace {

TEST(WatchedTarget, PartsGiveTheBitsAndTextsOfTheWhole) {
  const testing::AnalyticTarget target(2, [](std::span<const double> z, std::span<double> score) {
    score[0] = std::sin(z[0]);
    score[1] = z[0] * z[1];
    return std::log(z[0] + 1) - z[1];  // not a number where z0 < -1
  });
  constexpr std::size_t kRows = 1003;
  Matrix<double> z(kRows, 2), whole_score(kRows, 2);
  target.sample_prior(3, z.view());
  std::vector<double> whole(kRows);
  std::vector<std::string> whole_status(kRows);
  target.evaluate(z.view(), whole, whole_score.view(), whole_status);
  ASSERT_GT(std::ranges::count(whole_status, "outside"), 10);
  for (const std::size_t turn : {1, 3, 2000}) {
    const WatchedTarget watched(
        target, [] { return true; }, turn);
    std::vector<double> log_density(kRows);
    Matrix<double> score(kRows, 2);
    std::vector<std::string> status(kRows);
    watched.evaluate(z.view(), log_density, score.view(), status);
    for (std::size_t i = 0; i < kRows; ++i)
      EXPECT_TRUE(log_density[i] == whole[i] || (std::isnan(log_density[i]) && std::isnan(whole[i]))) << i;
    EXPECT_EQ(score.values(), whole_score.values());
    EXPECT_EQ(status, whole_status);
  }
  EXPECT_EQ(WatchedTarget(target, {}, 1).dimension(), 2);
}

}  // namespace
}  // namespace sojourn
