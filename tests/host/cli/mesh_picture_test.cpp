#include "cli/mesh_picture.hpp"

#include <gtest/gtest.h>

namespace sojourn::cli {
namespace {

TEST(MeshPicture, ShowsWhoEvaluatesWhat) {
  EXPECT_EQ(mesh_picture({2, 3}, 100, 7),
            "                     parts 1 to 2  parts 3 to 4  parts 5 to 7\n"
            "particles 1 to 50    rank 0        rank 1        rank 2\n"
            "particles 51 to 100  rank 3        rank 4        rank 5\n");
}

TEST(MeshPicture, ShowsSharesOfOneAndOfNothing) {
  EXPECT_EQ(mesh_picture({3, 1}, 2, 1),
            "             part 1\n"
            "no particle  rank 0\n"
            "particle 1   rank 1\n"
            "particle 2   rank 2\n");
}

TEST(MeshPicture, LeavesOutWhatNoScreenHolds) {
  const std::string text = mesh_picture({9, 20}, 9000, 40);
  EXPECT_NE(text.find("parts 13 to 14  ...\n"), std::string::npos) << text;
  EXPECT_NE(text.find("rank 126  "), std::string::npos) << text;
  EXPECT_EQ(text.find("rank 7 "), std::string::npos) << text;
  EXPECT_EQ(text.substr(text.size() - 5), "\n...\n");
}

}  // namespace
}  // namespace sojourn::cli
