#include "evaluation/team.hpp"

#include <gtest/gtest.h>

namespace sojourn {
namespace {

TEST(TeamSize, NoThreadIsWokenForLittleWork) {
  EXPECT_EQ(team_size(8, 0.0), 1);
  EXPECT_EQ(team_size(8, 1e5), 1);
  EXPECT_EQ(team_size(2, 2e6), 2);
  EXPECT_EQ(team_size(8, 2e6), 2);
  EXPECT_EQ(team_size(8, 1e300), 8);
  EXPECT_EQ(team_size(1, 1e300), 1);
  EXPECT_EQ(team_size(0, 1e300), team_size(0));
  EXPECT_EQ(team_size(0, 1.0), 1);
}

}  // namespace
}  // namespace sojourn
