#include "model/suggest.hpp"

#include <gtest/gtest.h>

namespace sojourn {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("smapler", "sampler"), 1);
  EXPECT_EQ(edit_distance("Rules", "rules"), 0);
}

TEST(Suggest, OffersOnlyWhatIsNear) {
  const std::vector<std::string> names{"transitions", "rules", "time", "a", "B"};
  EXPECT_EQ(closest("transtions", names), "transitions");
  EXPECT_EQ(closest("ruels", names), "rules");
  EXPECT_EQ(closest("tme", names), "time");
  EXPECT_EQ(closest("height", names), "");
  EXPECT_EQ(closest("x", names), "");
  EXPECT_EQ(closest("b", names), "B");
  EXPECT_EQ(suggestion("ruels", names), "; did you mean 'rules'?");
  EXPECT_EQ(suggestion("zzzzzz", names), "");
}

TEST(Suggest, ListsNames) {
  const std::vector<std::string> names{"a", "b", "c"};
  EXPECT_EQ(list_names(names), "a, b, c");
  EXPECT_EQ(list_names(names, 2), "a, b and 1 more");
  EXPECT_EQ(list_names({}), "none");
}

}  // namespace
}  // namespace sojourn
