#include "comm/node_flag.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "comm/thread_group.hpp"

namespace sojourn {
namespace {

/// Lines of this process's memory map that name a flag's page.
std::vector<std::string> mapped_flags() {
  std::vector<std::string> lines;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("sojourn-") != std::string::npos && line.find("rw-s") != std::string::npos) lines.push_back(line);
  return lines;
}

TEST(NodeFlag, OneRankOfAllIsTheFirst) {
  std::atomic<int> claimed = 0;
  run_thread_ranks(7, [&](Communicator& ranks) {
    NodeFlag flag(ranks);
    EXPECT_EQ(flag.fault(), "");
    ranks.barrier();
    claimed += flag.claim() ? 1 : 0;
    EXPECT_FALSE(flag.claim());
    ranks.barrier();
  });
  EXPECT_EQ(claimed, 1);
  // Another run has another flag.
  run_thread_ranks(1, [&](Communicator& ranks) { EXPECT_TRUE(NodeFlag(ranks).claim()); });
}

TEST(NodeFlag, IsSetForOtherProcessesWhenTheFirstHasEnded) {
  run_thread_ranks(2, [](Communicator& ranks) {
    NodeFlag flag(ranks);
    if (ranks.rank() == 0) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(flag.claim() ? 0 : 1);
      int status = -1;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ranks.barrier();
    EXPECT_FALSE(flag.claim());
  });
}

TEST(NodeFlag, LeavesNoFile) {
  run_thread_ranks(2, [](Communicator& ranks) {
    const NodeFlag flag(ranks);
    ranks.barrier();
    ranks.barrier();
    if (ranks.rank() == 0) {
      const std::vector<std::string> lines = mapped_flags();
      EXPECT_EQ(lines.size(), 2u);
      // What is killed from here on leaves nothing behind.
      for (const std::string& line : lines) EXPECT_NE(line.find("(deleted)"), std::string::npos) << line;
    }
    ranks.barrier();
  });
  EXPECT_EQ(mapped_flags().size(), 0u);
}

}  // namespace
}  // namespace sojourn
