#include "result/efficiency_class.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sojourn {
namespace {

TEST(EfficiencyClass, HasTwoEdges) {
  EXPECT_STREQ(efficiency_class(1.02), "good");
  EXPECT_STREQ(efficiency_class(0.8), "good");
  EXPECT_STREQ(efficiency_class(0.799), "fair");
  EXPECT_STREQ(efficiency_class(0.6), "fair");
  EXPECT_STREQ(efficiency_class(0.599), "poor");
  EXPECT_STREQ(efficiency_class(0), "poor");
  EXPECT_STREQ(efficiency_advice(0.9), "");
  EXPECT_NE(std::string(efficiency_advice(0.7)).find("fewer ranks"), std::string::npos);
  EXPECT_NE(std::string(efficiency_advice(0.3)).find("--plan"), std::string::npos);
}

}  // namespace
}  // namespace sojourn
