#include "comm/launcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

constexpr const char* kHint = "do otherwise";

std::string fault_of(const Variables& variables) {
  try {
    (void)launcher_rank(fixed_environment(variables), kHint);
    (void)rank_on_node(fixed_environment(variables), kHint);
  } catch (const CommError& error) {
    return error.what();
  }
  return "no CommError";
}

struct Case {
  const char* name;
  Variables variables;
  std::int64_t rank, size, rank_on_node, ranks_on_node;
  const char* source;
};

TEST(Launcher, Table) {
  const Case cases[] = {
      {"none", {}, 0, 1, 0, 1, ""},
      {"Open MPI",
       {{"OMPI_COMM_WORLD_RANK", "5"},
        {"OMPI_COMM_WORLD_SIZE", "8"},
        {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}},
       5,
       8,
       1,
       4,
       "OMPI_COMM_WORLD_RANK"},
      {"MPICH and Intel MPI",
       {{"PMI_RANK", "2"},
        {"PMI_SIZE", "6"},
        {"MPI_LOCALRANKID", "2"},
        {"MPI_LOCALNRANKS", "3"},
        {"I_MPI_MPIRUN", "mpirun"}},
       2,
       6,
       2,
       3,
       "PMI_RANK"},
      {"srun",
       {{"SLURM_PROCID", "3"},
        {"SLURM_STEP_NUM_TASKS", "5"},
        {"SLURM_NTASKS", "5"},
        {"SLURM_NODEID", "1"},
        {"SLURM_LOCALID", "1"},
        {"SLURM_STEP_TASKS_PER_NODE", "2(x2),1"}},
       3,
       5,
       1,
       2,
       "SLURM_PROCID"},
      {"a batch script", {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}, {"SLURM_TASKS_PER_NODE", "4"}}, 0, 1, 0, 1, ""},
      {"an older srun", {{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "4"}}, 1, 4, 0, 1, "SLURM_PROCID"},
      // mpirun in a job starts its daemons by srun: Open MPI's own variables decide.
      {"mpirun in a job",
       {{"OMPI_COMM_WORLD_RANK", "7"},
        {"OMPI_COMM_WORLD_SIZE", "8"},
        {"SLURM_PROCID", "1"},
        {"SLURM_STEP_NUM_TASKS", "2"},
        {"OMPI_COMM_WORLD_LOCAL_RANK", "3"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
        {"SLURM_STEP_TASKS_PER_NODE", "1(x2)"},
        {"SLURM_NODEID", "1"}},
       7,
       8,
       3,
       4,
       "OMPI_COMM_WORLD_RANK"},
  };
  for (const Case& one : cases) {
    const Environment environment = fixed_environment(one.variables);
    const LauncherRank rank = launcher_rank(environment, kHint);
    EXPECT_EQ(rank.rank, one.rank) << one.name;
    EXPECT_EQ(rank.size, one.size) << one.name;
    EXPECT_EQ(rank.source, one.source) << one.name;
    const LauncherRank here = rank_on_node(environment, kHint);
    EXPECT_EQ(here.rank, one.rank_on_node) << one.name;
    EXPECT_EQ(here.size, one.ranks_on_node) << one.name;
  }
}

TEST(Launcher, FaultsNameVariablesAndValues) {
  for (const char* const value : {"abc", "", "-1", "0", "3.0", " 4", "0x4", "1000000000000000000000000000000"}) {
    EXPECT_THAT(fault_of({{"SLURM_NTASKS", value}}),
                HasSubstr("SLURM_NTASKS='" + std::string(value) + "' is not a positive integer"))
        << value;
    EXPECT_THAT(fault_of({{"OMPI_COMM_WORLD_SIZE", value}, {"OMPI_COMM_WORLD_RANK", "0"}}),
                HasSubstr("OMPI_COMM_WORLD_SIZE='"))
        << value;
  }
  EXPECT_THAT(fault_of({{"SLURM_PROCID", "4"}, {"SLURM_NTASKS", "4"}}),
              HasSubstr("SLURM_PROCID=4 must lie below SLURM_NTASKS=4"));
  EXPECT_THAT(fault_of({{"SLURM_PROCID", "-2"}}), HasSubstr("SLURM_PROCID='-2' is not a non-negative integer"));
  EXPECT_THAT(fault_of({{"PMI_RANK", "4"}, {"PMI_SIZE", "4"}}), HasSubstr("PMI_RANK=4 must lie below PMI_SIZE=4"));
  EXPECT_THAT(fault_of({{"PMI_SIZE", "4"}}), HasSubstr("PMI_SIZE=4 without PMI_RANK; do otherwise"));
  EXPECT_THAT(fault_of({{"MPI_LOCALRANKID", "2"}, {"MPI_LOCALNRANKS", "2"}}),
              HasSubstr("MPI_LOCALRANKID=2 must lie below MPI_LOCALNRANKS=2"));
  EXPECT_THAT(fault_of({{"SLURM_STEP_TASKS_PER_NODE", "2(x"}, {"SLURM_NODEID", "0"}}),
              HasSubstr("'2(x' has no tasks for SLURM_NODEID=0"));
  EXPECT_THAT(fault_of({{"SLURM_STEP_TASKS_PER_NODE", "2"}, {"SLURM_LOCALID", "2"}}),
              HasSubstr("SLURM_LOCALID=2 must lie below the 2 tasks"));
}

TEST(Launcher, TasksOfANodeFromTheShortForm) {
  for (const std::int64_t node : {0, 1, 2}) EXPECT_EQ(tasks_on_node("2(x3),1,16(x1000)", node), 2);
  EXPECT_EQ(tasks_on_node("2(x3),1,16(x1000)", 3), 1);
  EXPECT_EQ(tasks_on_node("2(x3),1,16(x1000)", 1003), 16);
  EXPECT_EQ(tasks_on_node("2(x3),1,16(x1000)", 1004), std::nullopt);
  for (const char* const text : {"", ",", "a", "0", "2(3)", "2(x)", "2(x0)", "2(x3", "-1", "(x2)"})
    EXPECT_EQ(tasks_on_node(text, 0), std::nullopt) << text;
}

}  // namespace
}  // namespace sojourn
