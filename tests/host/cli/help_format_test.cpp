#include "cli/help_format.hpp"

#include <gtest/gtest.h>

namespace sojourn::cli {
namespace {

TEST(Wrap, BreaksAtSpacesOnly) {
  EXPECT_EQ(wrap("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrap("unbreakable word", 4, 1), "unbreakable\n word");
  EXPECT_EQ(wrap("", 10, 2), "");
}

TEST(HelpFormatter, WrapsDescriptionsInTheirColumn) {
  CLI::App app("Does a thing.", "thing");
  app.formatter(std::make_shared<HelpFormatter>());
  std::string value;
  app.add_option("--quite-a-long-name-of-an-option", value, std::string(20, 'a') + ' ' + std::string(70, 'b'))
      ->type_name("X");
  const std::string help = app.help();
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kHelpWidth) << line;
  EXPECT_EQ(help.find("\n\n\n"), std::string::npos);
  EXPECT_NE(help.find("--quite-a-long-name-of-an-option X\n"), std::string::npos);
}

}  // namespace
}  // namespace sojourn::cli
