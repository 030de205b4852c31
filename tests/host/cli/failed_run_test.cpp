#include "cli/failed_run.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace sojourn::cli {
namespace {

/// What a shell makes of the text as its first argument.
std::string through_the_shell(const std::string& word) {
  std::FILE* pipe = ::popen(("printf %s " + word).c_str(), "r");
  std::string text;
  for (int letter = std::fgetc(pipe); letter != EOF; letter = std::fgetc(pipe)) text += static_cast<char>(letter);
  ::pclose(pipe);
  return text;
}

TEST(ShellWord, ComesThroughAShellUnchanged) {
  EXPECT_EQ(shell_word("data/times-1.csv"), "data/times-1.csv");
  for (const char* text : {"", "a b", "it's", "$(rm -rf nothing)", "a;b|c&d>e", "\"quoted\"", "back\\slash",
                           "new\nline", "*", "~", "t\303\251"})
    EXPECT_EQ(through_the_shell(shell_word(text)), text);
}

}  // namespace
}  // namespace sojourn::cli
