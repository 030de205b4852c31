#include "sojourn/distributed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Variables = std::map<std::string, std::string>;

const NodeLister kNobodyAnswers = [](const std::string&) { return std::vector<std::string>(); };

/// Of the second of four tasks on two nodes of eight cores for each task, as srun gives them.
Variables task_of_a_step() {
  return {{"SLURM_JOB_ID", "4711"},
          {"SLURM_PROCID", "1"},
          {"SLURM_NTASKS", "4"},
          {"SLURM_NPROCS", "4"},
          {"SLURM_STEP_NUM_TASKS", "4"},
          {"SLURM_CPUS_PER_TASK", "8"},
          {"SLURM_JOB_NUM_NODES", "2"},
          {"SLURM_NNODES", "2"},
          {"SLURM_JOB_NODELIST", "node[07-08]"},
          {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"},
          {"SLURM_NODEID", "0"},
          {"SLURM_LOCALID", "1"}};
}

template <class ErrorType, class Call>
std::string fault_of(const Call& call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

std::string slurm_fault(const char* name, const char* value) {
  Variables variables = task_of_a_step();
  variables[name] = value;
  return fault_of<CommError>([&] { (void)detect_slurm_environment(fixed_environment(variables)); });
}

TEST(SlurmEnvironment, OutsideOfSlurm) {
  const SlurmEnvironment slurm = detect_slurm_environment(fixed_environment({{"SLURM_NTASKS", "4"}}));
  EXPECT_FALSE(slurm.is_slurm);
  EXPECT_EQ(slurm.num_processes, 1);
  EXPECT_EQ(to_text(slurm), "Running under SLURM: False\n");
}

TEST(SlurmEnvironment, EveryFieldOfAStep) {
  Variables variables = task_of_a_step();
  variables["SLURM_GPUS_ON_NODE"] = "4";
  variables["SLURM_STEP_NODELIST"] = "node07";
  variables["SLURM_STEP_GPUS"] = "0,1";
  variables["SLURM_GPUS"] = "a100:8";
  variables["SLURM_RESTART_COUNT"] = "2";
  const SlurmEnvironment slurm = detect_slurm_environment(fixed_environment(variables));
  EXPECT_TRUE(slurm.is_slurm);
  EXPECT_EQ(slurm.job_id, "4711");
  EXPECT_EQ(slurm.process_id, 1);
  EXPECT_EQ(slurm.num_processes, 4);
  EXPECT_EQ(slurm.cpus_per_task, 8);
  EXPECT_EQ(slurm.node_count, 2);
  EXPECT_EQ(slurm.nodelist, "node[07-08]");
  EXPECT_EQ(slurm.gpus_on_node, 4);
  EXPECT_EQ(slurm.step_nodelist, "node07");
  EXPECT_EQ(slurm.step_gpus, "0,1");
  EXPECT_EQ(slurm.gpus, "a100:8");
  EXPECT_EQ(slurm.restart_count, 2);
  EXPECT_TRUE(slurm.in_step);
  EXPECT_EQ(to_text(slurm),
            "Running under SLURM: True\nJob ID: 4711\nProcess ID: 1\nTotal processes: 4\nCPUs per task: 8\nNodes: 2\n"
            "Node list: node[07-08]\nNode list of the step: node07\nGPUs of the job: a100:8\n"
            "GPUs of the step on this node: 0,1\nGPUs on this node: 4\nRestarts: 2\n");
  variables["SLURM_STEP_NODELIST"] = "node[07";
  EXPECT_THROW((void)detect_slurm_environment(fixed_environment(variables)), CommError);
}

TEST(SlurmEnvironment, WhatTheGuideSetsIsEnough) {
  const SlurmEnvironment slurm = detect_slurm_environment(fixed_environment({{"SLURM_JOB_ID", "1"},
                                                                             {"SLURM_PROCID", "3"},
                                                                             {"SLURM_NTASKS", "4"},
                                                                             {"SLURM_CPUS_PER_TASK", "8"},
                                                                             {"SLURM_NODELIST", "a,b[1-3]"}}));
  EXPECT_EQ(slurm.process_id, 3);
  EXPECT_EQ(slurm.num_processes, 4);
  EXPECT_EQ(slurm.node_count, 4);
  EXPECT_FALSE(slurm.in_step);
}

TEST(SlurmEnvironment, VariablesThatCannotBe) {
  EXPECT_THAT(slurm_fault("SLURM_NTASKS", "abc"), HasSubstr("SLURM_NTASKS='abc' is not a positive integer"));
  EXPECT_THAT(slurm_fault("SLURM_CPUS_PER_TASK", "0"), HasSubstr("SLURM_CPUS_PER_TASK='0' is not a positive integer"));
  EXPECT_THAT(slurm_fault("SLURM_PROCID", "4"), HasSubstr("SLURM_PROCID=4 must lie below SLURM_STEP_NUM_TASKS=4"));
  EXPECT_THAT(slurm_fault("SLURM_NPROCS", "5"), HasSubstr("SLURM_NTASKS=4 and SLURM_NPROCS=5 disagree"));
  EXPECT_THAT(slurm_fault("SLURM_JOB_NUM_NODES", "3"),
              HasSubstr("SLURM_JOB_NUM_NODES=3 and SLURM_JOB_NODELIST='node[07-08]' of 2 disagree"));
  EXPECT_THAT(slurm_fault("SLURM_JOB_NODELIST", "node[07-"), HasSubstr("position 5: '[' is never closed"));
  EXPECT_THAT(slurm_fault("SLURM_JOB_NODELIST", "n[1-99999999999]"), HasSubstr("more than 1000000 hosts"));
  EXPECT_THAT(slurm_fault("SLURM_RESTART_COUNT", "-1"), HasSubstr("SLURM_RESTART_COUNT='-1'"));
}

TEST(Strategy, Chooser) {
  const auto chosen = [](Strategy requested, DeviceCounts counts) {
    return choose_strategy(requested, counts).strategy;
  };
  for (const std::int64_t cores : {1, 8}) {
    EXPECT_EQ(chosen(Strategy::kAuto, {4, 1, cores}), Strategy::kDevices);
    EXPECT_EQ(chosen(Strategy::kAuto, {1, 4, cores}), Strategy::kDevices);
    EXPECT_EQ(chosen(Strategy::kBatch, {4, 4, cores}), Strategy::kBatch);
    EXPECT_EQ(chosen(Strategy::kSequential, {4, 4, cores}), Strategy::kSequential);
  }
  EXPECT_EQ(chosen(Strategy::kAuto, {1, 1, 8}), Strategy::kBatch);
  EXPECT_EQ(chosen(Strategy::kAuto, {1, 1, 1}), Strategy::kSequential);
}

TEST(Strategy, DevicesWithOneDeviceFallBackWithAWarning) {
  const StrategyChoice choice = choose_strategy(Strategy::kDevices, {1, 1, 8});
  EXPECT_EQ(choice.strategy, Strategy::kBatch);
  EXPECT_THAT(choice.warning, HasSubstr("there is one device and one rank; batch is used instead"));
  EXPECT_EQ(choose_strategy(Strategy::kDevices, {1, 1, 1}).strategy, Strategy::kSequential);
  EXPECT_THAT(choose_strategy(Strategy::kDevices, {1, 2, 1}).warning, IsEmpty());
  EXPECT_THAT(choose_strategy(Strategy::kAuto, {1, 1, 8}).warning, IsEmpty());
}

TEST(Strategy, NumberOfDevices) {
  EXPECT_EQ(choose_strategy(Strategy::kAuto, {4, 1, 8}).num_devices, 4);
  EXPECT_EQ(choose_strategy(Strategy::kAuto, {4, 1, 8}, 2).num_devices, 2);
  // One of four devices is one device.
  EXPECT_EQ(choose_strategy(Strategy::kAuto, {4, 1, 8}, 1).strategy, Strategy::kBatch);
  EXPECT_THAT(fault_of<UsageError>([] {
                (void)choose_strategy(Strategy::kAuto, {4, 1, 8}, 5);
              }),
              HasSubstr("n_devices: 5 must be from 1 to the 4 there are"));
  EXPECT_THAT(fault_of<UsageError>([] {
                (void)choose_strategy(Strategy::kAuto, {1, 1, 8}, -1);
              }),
              HasSubstr("n_devices: -1"));
}

TEST(Strategy, Names) {
  for (const Strategy strategy : {Strategy::kAuto, Strategy::kDevices, Strategy::kBatch, Strategy::kSequential})
    EXPECT_EQ(strategy_from(to_string(strategy)), strategy);
  EXPECT_THAT(fault_of<UsageError>([] { (void)strategy_from("device"); }), HasSubstr("did you mean 'devices'?"));
}

TEST(Configure, OnALaptop) {
  const DistributedConfig config = configure_distributed({}, 8, 0, fixed_environment({}), kNobodyAnswers);
  EXPECT_EQ(config.job_id, "");
  EXPECT_EQ(config.process_id, 0);
  EXPECT_EQ(config.num_processes, 1);
  EXPECT_TRUE(config.is_coordinator);
  EXPECT_EQ(config.coordinator_address, "localhost:12345");
  EXPECT_EQ(config.local_device_count, 8);
  EXPECT_EQ(config.global_device_count, 8);
  EXPECT_EQ(config.platform, "cpu");
  EXPECT_EQ(config.strategy.strategy, Strategy::kBatch);
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_THAT(to_text(config), HasSubstr("Job ID: Local execution\nProcess rank: 0 of 1\nIs coordinator: True\n"));
}

TEST(Configure, AsATaskOfAStep) {
  const DistributedConfig config =
      configure_distributed({}, 8, 0, fixed_environment(task_of_a_step()), [](const std::string&) {
        return std::vector<std::string>{"node07", "node08"};
      });
  EXPECT_EQ(config.job_id, "4711");
  EXPECT_EQ(config.process_id, 1);
  EXPECT_EQ(config.num_processes, 4);
  EXPECT_FALSE(config.is_coordinator);
  EXPECT_EQ(config.coordinator_address, "node07:12345");
  EXPECT_EQ(config.local_device_count, 8);
  EXPECT_EQ(config.global_device_count, 32);
  EXPECT_EQ(config.strategy.strategy, Strategy::kDevices);
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_NO_THROW(expect_ranks(config, 1, 4));
  // Another rank, another number of ranks, or both.
  for (const auto& [rank, size] : {std::pair{0, 4}, std::pair{1, 2}, std::pair{0, 1}})
    EXPECT_THAT(fault_of<CommError>([&, rank = rank, size = size] { expect_ranks(config, rank, size); }),
                ::testing::StartsWith("launcher/MPI mismatch: the launcher says rank 1 of 4,"));
}

TEST(Configure, TheFirstTaskAloneIsTheCoordinator) {
  for (const char* const rank : {"0", "1", "2", "3"}) {
    Variables variables = task_of_a_step();
    variables["SLURM_PROCID"] = rank;
    const DistributedConfig config = configure_distributed({}, 8, 0, fixed_environment(variables), NodeLister());
    EXPECT_EQ(config.is_coordinator, std::string(rank) == "0") << rank;
  }
}

TEST(Configure, AProcessThatSrunDidNotStartWorksAloneAndSaysSo) {
  Variables variables = task_of_a_step();
  variables.erase("SLURM_STEP_NUM_TASKS");
  variables.erase("SLURM_STEP_TASKS_PER_NODE");
  variables["SLURM_PROCID"] = "0";
  const DistributedConfig config = configure_distributed({}, 8, 0, fixed_environment(variables), kNobodyAnswers);
  EXPECT_EQ(config.num_processes, 1);
  EXPECT_EQ(config.coordinator_address, "localhost:12345");
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("SLURM granted 4 tasks, but this is a single process")));
  const auto warnings_of = [&](const char* tasks) {
    variables["SLURM_NTASKS"] = variables["SLURM_NPROCS"] = tasks;
    return configure_distributed({}, 8, 0, fixed_environment(variables), kNobodyAnswers).warnings;
  };
  EXPECT_THAT(warnings_of("2"), ElementsAre(HasSubstr("SLURM granted 2 tasks")));
  EXPECT_THAT(warnings_of("1"), IsEmpty());
}

TEST(Configure, LaunchersAndNodes) {
  const auto configured = [](const Variables& variables) {
    return configure_distributed({}, 8, 0, fixed_environment(variables), NodeLister());
  };
  EXPECT_EQ(configured({}).launcher, "none");
  EXPECT_EQ(configured(task_of_a_step()).launcher, "srun");
  EXPECT_EQ(configured(task_of_a_step()).num_nodes, 2);
  EXPECT_EQ(configured({{"PMI_RANK", "1"}, {"PMI_SIZE", "3"}}).launcher, "PMI");
  // Open MPI over machines of 2, 2 and 1 ranks, without SLURM: nobody names the first one, and MPI connects them all
  // the same.
  const DistributedConfig open_mpi = configured({{"OMPI_COMM_WORLD_RANK", "1"},
                                                 {"OMPI_COMM_WORLD_SIZE", "5"},
                                                 {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                                 {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  EXPECT_EQ(open_mpi.launcher, "Open MPI");
  EXPECT_EQ(open_mpi.num_nodes, 3);
  EXPECT_EQ(open_mpi.coordinator_address, "");
  EXPECT_THAT(open_mpi.warnings, IsEmpty());
}

TEST(Configure, ACoordinatorThatOthersCannotReachIsAWarning) {
  Variables variables = task_of_a_step();
  variables["SOJOURN_COORDINATOR_ADDRESS"] = "127.0.0.1";
  const DistributedConfig config = configure_distributed({}, 8, 0, fixed_environment(variables), NodeLister());
  EXPECT_EQ(config.coordinator_address, "127.0.0.1:12345");
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("with more than one node every rank would look for it")));
  // A lister that is there and silent is a warning, none at all is not.
  EXPECT_THAT(configure_distributed({}, 8, 0, fixed_environment(task_of_a_step()), kNobodyAnswers).warnings,
              ElementsAre(HasSubstr("scontrol show hostnames gave no answer")));
  const DistributedConfig unasked = configure_distributed({}, 8, 0, fixed_environment(task_of_a_step()), NodeLister());
  EXPECT_THAT(unasked.warnings, IsEmpty());
  EXPECT_EQ(unasked.coordinator_address, "node07:12345");
}

TEST(Configure, OneOfManyCoresIsOneAfterAnother) {
  DistributedRequest request;
  request.n_devices = 1;
  const DistributedConfig config = configure_distributed(request, 8, 0, fixed_environment({}), kNobodyAnswers);
  EXPECT_EQ(config.strategy.strategy, Strategy::kSequential);
  EXPECT_EQ(config.local_device_count, 1);
}

TEST(Configure, DevicesAndPlatforms) {
  const Environment nothing = fixed_environment({});
  DistributedRequest request;
  request.n_devices = 3;
  EXPECT_EQ(configure_distributed(request, 8, 0, nothing, kNobodyAnswers).local_device_count, 3);
  request.n_devices = 9;
  EXPECT_THAT(fault_of<UsageError>([&] { (void)configure_distributed(request, 8, 0, nothing, kNobodyAnswers); }),
              HasSubstr("n_devices: 9 must be from 1 to the 8 cores of this process"));
  request = {};
  const DistributedConfig on_gpus = configure_distributed(request, 8, 4, nothing, kNobodyAnswers);
  EXPECT_EQ(on_gpus.platform, "gpu");
  EXPECT_EQ(on_gpus.local_device_count, 4);
  EXPECT_EQ(on_gpus.strategy.strategy, Strategy::kDevices);
  request.platform = "cpu";
  EXPECT_EQ(configure_distributed(request, 8, 4, nothing, kNobodyAnswers).local_device_count, 8);
  request.platform = "gpu";
  EXPECT_THAT(fault_of<DeviceError>([&] { (void)configure_distributed(request, 8, 0, nothing, kNobodyAnswers); }),
              HasSubstr("no GPU is seen"));
  request.platform = "gpus";
  EXPECT_THAT(fault_of<UsageError>([&] { (void)configure_distributed(request, 8, 0, nothing, kNobodyAnswers); }),
              HasSubstr("did you mean 'gpu'?"));
  request = {};
  request.coordinator_port = 70000;
  EXPECT_THAT(fault_of<UsageError>([&] { (void)configure_distributed(request, 8, 0, nothing, kNobodyAnswers); }),
              HasSubstr("coordinator_port: 70000"));
  request.coordinator_port = 12346;
  EXPECT_EQ(configure_distributed(request, 8, 0, nothing, kNobodyAnswers).coordinator_address, "localhost:12346");
}

TEST(Proxies, AreUnsetForAWhileAndPutBack) {
  setenv("http_proxy", "http://proxy:1", 1);
  setenv("HTTPS_PROXY", "", 1);
  unsetenv("https_proxy");
  {
    const ProxiesUnset unset;
    EXPECT_EQ(std::getenv("http_proxy"), nullptr);
    EXPECT_EQ(std::getenv("HTTPS_PROXY"), nullptr);
  }
  EXPECT_STREQ(std::getenv("http_proxy"), "http://proxy:1");
  EXPECT_STREQ(std::getenv("HTTPS_PROXY"), "");
  EXPECT_EQ(std::getenv("https_proxy"), nullptr);
  unsetenv("http_proxy");
  unsetenv("HTTPS_PROXY");
}

}  // namespace
}  // namespace sojourn
