#include "comm/threads.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sojourn/error.hpp"
#include "sojourn/info.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

constexpr const char* kVariables[] = {"SOJOURN_NUM_THREADS", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"};
/// By which launchers say how many ranks share a node: these tests may themselves run under one.
constexpr const char* kLauncherVariables[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
                                              "MPI_LOCALRANKID", "MPI_LOCALNRANKS", "SLURM_STEP_TASKS_PER_NODE"};

/// Runs each test with these variables unset and puts back what was there.
class Threads : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* const name : kVariables) unset(name);
    for (const char* const name : kLauncherVariables) unset(name);
  }
  void TearDown() override {
    for (const auto& [name, value] : saved_) value ? setenv(name, value->c_str(), 1) : unsetenv(name);
  }

 private:
  void unset(const char* name) {
    const char* const value = std::getenv(name);
    saved_.emplace_back(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
    unsetenv(name);
  }
  std::vector<std::pair<const char*, std::optional<std::string>>> saved_;
};

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST_F(Threads, RequestWinsOverTheEnvironment) {
  setenv("SOJOURN_NUM_THREADS", "7", 1);
  EXPECT_EQ(resolve_num_threads(3), 3);
}

TEST_F(Threads, VariablesInOrder) {
  setenv("OMP_NUM_THREADS", "5", 1);
  EXPECT_EQ(resolve_num_threads(), 5);
  setenv("SLURM_CPUS_PER_TASK", "6", 1);
  EXPECT_EQ(resolve_num_threads(), 6);
  setenv("SOJOURN_NUM_THREADS", "7", 1);
  EXPECT_EQ(resolve_num_threads(), 7);
}

TEST_F(Threads, OpenMpListTakesTheOuterLevel) {
  setenv("OMP_NUM_THREADS", " 4, 2 ", 1);
  EXPECT_EQ(resolve_num_threads(), 4);
  setenv("OMP_NUM_THREADS", "4,", 1);
  EXPECT_EQ(resolve_num_threads(), 4);
  setenv("SLURM_CPUS_PER_TASK", "4,2", 1);
  EXPECT_THAT(message_of([] { resolve_num_threads(); }), HasSubstr("SLURM_CPUS_PER_TASK='4,2'"));
}

TEST_F(Threads, BadValuesNameVariableAndValue) {
  for (const char* variable : kVariables) {
    for (const char* value :
         {"0", "-1", "abc", "", " ", "2.5", "4x", "0x4", "+", "1e3", ",4", "99999999999999999999999999", "1000000"}) {
      setenv(variable, value, 1);
      EXPECT_THAT(message_of([] { resolve_num_threads(); }), HasSubstr(std::string(variable) + "='" + value + "'"));
      unsetenv(variable);
    }
  }
}

TEST_F(Threads, BadRequests) {
  EXPECT_THAT(message_of([] { resolve_num_threads(-2); }), HasSubstr("-2"));
  EXPECT_THAT(message_of([] { resolve_num_threads(1'000'000); }), HasSubstr("1000000"));
}

TEST_F(Threads, FollowsTheAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_LE(resolve_num_threads(), CPU_COUNT(&before));
  EXPECT_GE(resolve_num_threads(), 1);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(resolve_num_threads(), 1);
  sched_setaffinity(0, sizeof before, &before);
}

TEST_F(Threads, OversubscriptionWarnsAboveFourTimesTheCores) {
  const int cores = num_usable_cores();
  EXPECT_EQ(oversubscription_warning(4 * cores), "");
  EXPECT_THAT(oversubscription_warning(4 * cores + 1), HasSubstr(std::to_string(4 * cores + 1) + " threads"));
}

TEST(ShareOfCores, OfEveryRank) {
  CoreFacts facts{.own = 16, .online = 16};
  EXPECT_EQ(share_of_cores(facts, 1), 16);
  EXPECT_EQ(share_of_cores(facts, 4), 4);
  EXPECT_EQ(share_of_cores(facts, 5), 3);
  EXPECT_EQ(share_of_cores(facts, 100), 1);
  // Bound to one core, to a socket of eight that two ranks share, to four cores of its own.
  EXPECT_EQ(share_of_cores({.own = 1, .online = 16, .launcher = 16}, 2), 1);
  EXPECT_EQ(share_of_cores({.own = 8, .online = 16, .launcher = 16}, 4), 4);
  EXPECT_EQ(share_of_cores({.own = 4, .online = 16, .launcher = 16}, 4), 4);
  EXPECT_EQ(share_of_cores({.own = 4, .online = 16, .launcher = 16}, 2), 4);
  // A launcher confined by taskset, a processor set, a quota, a SLURM step of six cores.
  EXPECT_EQ(share_of_cores({.own = 4, .online = 16, .launcher = 4}, 2), 2);
  EXPECT_EQ(share_of_cores({.own = 8, .online = 64, .in_group = 8, .launcher = 64}, 4), 2);
  EXPECT_EQ(share_of_cores({.own = 2, .online = 64, .granted = 2, .launcher = 64}, 2), 1);
  EXPECT_EQ(share_of_cores({.own = 6, .online = 64, .launcher = 64, .slurm = 6}, 3), 2);
  // Nothing is known beside what this process may use.
  EXPECT_EQ(share_of_cores({.own = 4}, 2), 2);
  const CoreFacts here = core_facts();
  EXPECT_GE(here.own, 1);
  EXPECT_GE(here.online, here.own);
}

TEST_F(Threads, RanksOfANodeShareItsCores) {
  const int alone = resolve_num_threads();
  setenv("OMPI_COMM_WORLD_LOCAL_RANK", "0", 1);
  setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "1", 1);
  EXPECT_EQ(resolve_num_threads(), alone);
  setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "1000", 1);
  EXPECT_EQ(resolve_num_threads(), 1);
  EXPECT_THAT(oversubscription_warning(5), HasSubstr("1000 ranks of 5 threads on"));
  // What is asked for is given.
  EXPECT_EQ(resolve_num_threads(3), 3);
  setenv("SLURM_CPUS_PER_TASK", "6", 1);
  EXPECT_EQ(resolve_num_threads(), 6);
}

TEST(CpuList, CountsWhatTheKernelWrites) {
  EXPECT_EQ(count_cpu_list("0-3,8\n"), 5);
  EXPECT_EQ(count_cpu_list("\t0\n"), 1);
  for (const char* const text : {"", "\n", "a", "3-1", "0-", "-1", "0,,1", "0-99999999999"})
    EXPECT_EQ(count_cpu_list(text), 0) << text;
}

/// A made-up control group tree.
class ControlGroups : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("sojourn-cgroup-" + std::to_string(getpid()));
    std::filesystem::remove_all(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::filesystem::path root_;
};

TEST_F(ControlGroups, ProcessorSetsOfBothVersions) {
  put("cpuset.cpus.effective", "0-15\n");
  put("a/cpuset.cpus.effective", "0-3\n");
  EXPECT_EQ(cgroup_cpuset_size(root_, "0::/a\n"), 4);
  EXPECT_EQ(cgroup_cpuset_size(root_, "0::/b\n"), 16);
  put("cpuset/slurm/job/cpuset.effective_cpus", "4-5\n");
  put("cpuset/slurm/job/cpuset.cpus", "4-9\n");
  EXPECT_EQ(cgroup_cpuset_size(root_, "3:cpuset:/slurm/job\n1:cpu:/\n"), 2);
  EXPECT_EQ(cgroup_cpuset_size(root_, "1:cpu:/\n"), 0);
}

TEST_F(ControlGroups, VersionTwoTakesTheTightestAncestorAndRoundsUp) {
  put("a/cpu.max", "250000 100000\n");
  put("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_, "0::/a/b\n"), 3);
  put("a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_, "0::/a/b\n"), 1);
}

TEST_F(ControlGroups, VersionOne) {
  put("cpu/job/cpu.cfs_quota_us", "400000\n");
  put("cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_core_limit(root_, "4:cpu,cpuacct:/job\n3:memory:/job\n"), 4);
  put("cpu/job/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cgroup_core_limit(root_, "4:cpu,cpuacct:/job\n"), 0);
}

TEST_F(ControlGroups, NoLimitWithoutFiles) {
  EXPECT_EQ(cgroup_core_limit(root_, "0::/\n"), 0);
  EXPECT_EQ(cgroup_core_limit(root_, ""), 0);
  EXPECT_EQ(cgroup_core_limit(root_, "nonsense\n:\n"), 0);
}

}  // namespace
}  // namespace sojourn
