#include "cli/doctor_checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/doctor_facts.hpp"

namespace sojourn::cli {
namespace {

using ::testing::AllOf;
using ::testing::Field;
using ::testing::HasSubstr;

/// A laptop on which nothing is amiss, built with everything.
MachineFacts fine() {
  MachineFacts facts;
  facts.build.version = "1.0";
  facts.build.mpi = facts.build.cuda = facts.build.nccl = true;
  facts.build.cuda_version = "13.0";
  facts.build.instruction_set = "avx2";
  facts.build.instruction_sets = {"baseline", "avx2"};
  facts.build.devices = {"cuda:0 NVIDIA H200, 139 GiB"};
  facts.driver = "580.65.06";
  facts.host = "n1";
  facts.program = facts.program_in_path = "/opt/sojourn";
  facts.cores_online = facts.cores_usable = 8;
  facts.threads.value = 8;
  facts.memory_left.value = std::int64_t{16} << 30;
  facts.mpi_library = "Open MPI v4.1.4, package: Debian OpenMPI";
  facts.mpirun = "mpirun (Open MPI) 4.1.4";
  facts.mpi_cuda = true;
  facts.coordinator.value.host = "localhost";
  facts.interfaces = {"eth0 10.0.0.7"};
  facts.cache = {"/home/u/.cache/sojourn", "", false, std::int64_t{1} << 40};
  facts.output = {"/home/u", "", false, std::int64_t{1} << 40};
  return facts;
}

/// Facts in which one thing is different.
template <class Change>
MachineFacts with(const Change& change) {
  MachineFacts facts = fine();
  change(facts);
  return facts;
}

auto is(Verdict verdict, const std::string& found, const std::string& advice = "") {
  return AllOf(Field(&Check::verdict, verdict), Field(&Check::found, HasSubstr(found)),
               Field(&Check::advice, HasSubstr(advice)));
}

TEST(Doctor, NothingIsAmiss) {
  for (const Check& check : all_checks(fine()))
    EXPECT_LE(check.verdict, Verdict::kAbsent) << check.name << ": " << check.found;
}

TEST(Doctor, EveryWarningAndFailureHasAWayOut) {
  MachineFacts facts;  // nothing is there
  facts.threads.fault = facts.memory_left.fault = facts.slurm.fault = facts.coordinator.fault = facts.launcher.fault =
      "x";
  for (const Check& check : all_checks(facts)) {
    if (check.verdict >= Verdict::kWarn) {
      EXPECT_NE(check.advice, "") << check.name;
    }
  }
}

TEST(Doctor, Program) {
  EXPECT_THAT(check_program(fine()), is(Verdict::kOk, "sojourn 1.0 at /opt/sojourn on n1"));
  EXPECT_THAT(check_program(with([](auto& f) { f.program_in_path = "/usr/bin/sojourn"; })),
              is(Verdict::kWarn, "PATH finds /usr/bin/sojourn", "first in PATH"));
}

TEST(Doctor, CoresAndThreads) {
  EXPECT_THAT(check_cores(with([](auto& f) { f.cores_usable = 2; })), is(Verdict::kOk, "2 of 8 cores (affinity"));
  const auto bound = [](int cores, std::int64_t ranks) {
    return check_cores(with([&](auto& f) {
      f.cores_usable = cores, f.cores_of_ranks = 8, f.ranks_here = ranks, f.launcher.value = {"PMI_RANK", ranks};
    }));
  };
  EXPECT_THAT(bound(1, 2), is(Verdict::kWarn, "2 ranks on this node", "--bind-to none"));
  EXPECT_THAT(bound(4, 2), is(Verdict::kOk, "4 of 8 cores"));
  EXPECT_THAT(bound(8, 2), is(Verdict::kOk, "8 of 8 cores"));
  EXPECT_THAT(check_threads(fine()), is(Verdict::kOk, "8 threads a rank"));
  EXPECT_THAT(check_threads(with([](auto& f) { f.threads.fault = "OMP_NUM_THREADS='0' is not"; })),
              is(Verdict::kFail, "OMP_NUM_THREADS='0'", "unset"));
  EXPECT_THAT(check_threads(with([](auto& f) { f.thread_warning = "64 threads on 8 cores"; })),
              is(Verdict::kWarn, "64 threads", "lower"));
  EXPECT_THAT(check_threads(with([](auto& f) { f.wait_policy = "active"; })), is(Verdict::kWarn, "active", "unset it"));
}

TEST(Doctor, Memory) {
  EXPECT_THAT(check_memory(fine()), is(Verdict::kOk, "16 GiB may be taken"));
  EXPECT_THAT(check_memory(with([](auto& f) { f.memory_left.value = 1 << 20; })),
              is(Verdict::kWarn, "1 MiB", "memory_per_cpu"));
  EXPECT_THAT(check_memory(with([](auto& f) { f.memory_left.fault = "SOJOURN_MAX_MEMORY='x'"; })),
              is(Verdict::kFail, "SOJOURN_MAX_MEMORY"));
}

TEST(Doctor, GpusAndDriver) {
  EXPECT_THAT(check_gpu(fine()), is(Verdict::kOk, "H200"));
  const auto none = [](auto& f) { f.build.devices.clear(); };
  EXPECT_THAT(check_gpu(with(none)), is(Verdict::kWarn, "driver 580.65.06 is there, no GPU", "CUDA_VISIBLE_DEVICES"));
  EXPECT_THAT(check_gpu(with([&](auto& f) { none(f), f.driver.clear(); })), is(Verdict::kAbsent, "no NVIDIA driver"));
  EXPECT_THAT(check_gpu(with([&](auto& f) { none(f), f.asks_for_gpu = true; })),
              is(Verdict::kFail, "SOJOURN_DEVICE", "--device cpu"));
  EXPECT_THAT(check_cuda(fine()), is(Verdict::kOk, "CUDA 13.0"));
  EXPECT_THAT(check_cuda(with([](auto& f) { f.driver = "535.104.05"; })),
              is(Verdict::kFail, "driver 535.104.05 is older than 580, which CUDA 13.0 needs", "update the driver"));
  EXPECT_THAT(check_cuda(with([](auto& f) { f.driver = "535.104.05", f.build.cuda_version = "12.2"; })),
              is(Verdict::kOk, "CUDA 12.2"));
  EXPECT_THAT(check_cuda(with([](auto& f) { f.build.cuda = false; })), is(Verdict::kAbsent, "built without CUDA"));
  EXPECT_THAT(check_nccl(with([](auto& f) { f.ranks_here = 2; })),
              is(Verdict::kFail, "2 ranks on 1 GPU", "one rank a GPU"));
  EXPECT_THAT(check_nccl(with([](auto& f) { f.build.nccl = false; })), is(Verdict::kAbsent, "without NCCL"));
  EXPECT_EQ(driver_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version:"),
            "535.104.05");
  EXPECT_EQ(driver_version("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build"),
            "580.65.06");
  EXPECT_EQ(driver_version(""), "");
  EXPECT_EQ(old_driver_text("525.60.13", "12.4"), "");
  EXPECT_EQ(old_driver_text("470.57.02", "12.4"), "driver 470.57.02 is older than 525, which CUDA 12.4 needs");
  EXPECT_EQ(old_driver_text("", "13.0"), "");
}

TEST(Doctor, Mpi) {
  EXPECT_THAT(check_mpi(fine()), is(Verdict::kOk, "Open MPI v4.1.4"));
  EXPECT_THAT(check_mpi(with([](auto& f) { f.mpirun = "HYDRA build details:"; })),
              is(Verdict::kWarn, "HYDRA", "mpirun of Open MPI"));
  EXPECT_THAT(check_mpi(with([](auto& f) { f.mpirun.clear(); })), is(Verdict::kWarn, "no mpirun", "srun --mpi=pmix"));
  EXPECT_STREQ(srun_mpi_of("Open MPI v4.1.4, package: Debian"), "pmix");
  EXPECT_STREQ(srun_mpi_of(""), "pmix");
  EXPECT_STREQ(srun_mpi_of("MPICH Version: 4.0.2"), "pmi2");
  EXPECT_STREQ(srun_mpi_of("Intel(R) MPI Library 2021.11 for Linux* OS"), "pmi2");
  EXPECT_THAT(check_mpi(with([](auto& f) { f.mpi_library.clear(); })),
              is(Verdict::kAbsent, "built without MPI", "libopenmpi-dev"));
  const auto aware = [](const char* asked, std::optional<bool> has) {
    return check_cuda_aware_mpi(with([&](auto& f) { f.cuda_aware_mpi = asked, f.mpi_cuda = has; }));
  };
  EXPECT_THAT(aware("", true), is(Verdict::kOk, "there"));
  EXPECT_THAT(aware("0", true), is(Verdict::kOk, "switched off"));
  EXPECT_THAT(aware("auto", false), is(Verdict::kAbsent, "takes no device memory", "through the host"));
  EXPECT_THAT(aware("", {}), is(Verdict::kAbsent, "does not say"));
  EXPECT_THAT(aware("1", false), is(Verdict::kFail, "takes no device memory", "unset it"));
  EXPECT_THAT(aware("1", {}), is(Verdict::kFail, "does not say"));
  EXPECT_THAT(aware("yes", true), is(Verdict::kFail, "'yes'", "0, 1 or auto"));
}

TEST(Doctor, Launcher) {
  EXPECT_THAT(check_launcher(fine()), is(Verdict::kOk, "none: one rank"));
  const auto four = [](auto& f) { f.launcher.value = {"OMPI_COMM_WORLD_RANK", 4}; };
  EXPECT_THAT(check_launcher(with(four)), is(Verdict::kOk, "4 ranks (OMPI_COMM_WORLD_RANK)"));
  EXPECT_THAT(check_launcher(with([&](auto& f) { four(f), f.build.mpi = false; })),
              is(Verdict::kFail, "built without MPI", "build it"));
  EXPECT_THAT(check_launcher(with([&](auto& f) { four(f), f.ranks.fault = "launcher/MPI mismatch"; })),
              is(Verdict::kFail, "mismatch", "pmix"));
  EXPECT_THAT(check_launcher(with([](auto& f) { f.launcher.fault = "PMI_SIZE='x'"; })), is(Verdict::kFail, "PMI_SIZE"));
}

TEST(Doctor, Slurm) {
  EXPECT_THAT(check_slurm(fine()), is(Verdict::kAbsent, "Running under SLURM: False"));
  const auto job = [](auto& f) {
    f.slurm.value.is_slurm = f.slurm.value.in_step = true;
    f.slurm.value.job_id = "7";
    f.slurm.value.node_count = 2;
    f.slurm.value.num_processes = 4;
  };
  EXPECT_THAT(check_slurm(with(job)), is(Verdict::kOk, "job 7, 2 nodes, 4 tasks, 1 cpu a task"));
  EXPECT_THAT(check_slurm(with([&](auto& f) { job(f), f.slurm.value.in_step = false; })),
              is(Verdict::kWarn, "not started by srun", "srun"));
  EXPECT_THAT(check_slurm(with([](auto& f) { f.slurm.fault = "SLURM_NTASKS='abc'"; })),
              is(Verdict::kFail, "SLURM_NTASKS='abc'"));
  EXPECT_THAT(check_slurm_commands(fine()), is(Verdict::kAbsent, "no sbatch"));
  EXPECT_THAT(check_slurm_commands(with([](auto& f) {
                f.slurm_commands = {"sbatch", "srun", "scontrol"}, f.mpi_plugins = "none pmix";
              })),
              is(Verdict::kOk, "scontrol, pmix"));
  EXPECT_THAT(check_slurm_commands(with([](auto& f) { f.slurm_commands = {"srun"}; })),
              is(Verdict::kWarn, "no scontrol"));
  EXPECT_THAT(check_slurm_commands(with([](auto& f) {
                f.slurm_commands = {"srun", "scontrol"}, f.mpi_plugins = "none pmi2";
              })),
              is(Verdict::kWarn, "no pmix", "mpirun"));
  EXPECT_THAT(check_slurm_commands(with([](auto& f) {
                f.slurm_commands = {"srun", "scontrol"}, f.mpi_plugins = "none pmi2";
                f.mpi_library = "MPICH Version: 4.0.2";
              })),
              is(Verdict::kOk, "scontrol, pmi2"));
  EXPECT_THAT(check_time_limit(fine()), is(Verdict::kAbsent, "no job"));
  EXPECT_THAT(check_time_limit(with([](auto& f) { f.seconds_left = 7200; })), is(Verdict::kOk, "2 h 00 min left"));
  EXPECT_THAT(check_time_limit(with([](auto& f) { f.seconds_left = 30; })),
              is(Verdict::kWarn, "30 s left", "time_limit"));
  EXPECT_THAT(check_network(with([&](auto& f) { job(f), f.interfaces.push_back("ib0 10.1.0.7"); })),
              is(Verdict::kWarn, "ib0 10.1.0.7", "SOJOURN_COORDINATOR_ADDRESS"));
  EXPECT_THAT(check_network(fine()), is(Verdict::kOk, "eth0 10.0.0.7"));
}

TEST(Doctor, Coordinator) {
  EXPECT_THAT(check_coordinator(fine()), is(Verdict::kOk, "localhost:12345, the port is free"));
  EXPECT_THAT(check_coordinator(with([](auto& f) { f.port_fault = "coordinator n1:12345: the port cannot be taken"; })),
              is(Verdict::kWarn, "n1:12345", "12346"));
  const auto taken = [](auto& f) { f.port_fault = "coordinator n1:12345: no answer"; };
  EXPECT_THAT(check_coordinator(with([&](auto& f) {
                taken(f), f.launcher.value = {"PMI_RANK", 2};
              })),
              is(Verdict::kFail, "no answer", "12346"));
  EXPECT_THAT(check_coordinator(with([&](auto& f) { taken(f), f.variables["SOJOURN_COORDINATOR_PORT"] = "12345"; })),
              is(Verdict::kFail, "no answer"));
  EXPECT_THAT(check_coordinator(with([](auto& f) { f.coordinator.value.warning = "scontrol gave no answer"; })),
              is(Verdict::kWarn, "scontrol"));
  EXPECT_THAT(check_coordinator(with([](auto& f) { f.coordinator.fault = "SOJOURN_COORDINATOR_PORT='x'"; })),
              is(Verdict::kFail, "PORT='x'"));
}

TEST(Doctor, Folders) {
  EXPECT_THAT(check_cache(fine()), is(Verdict::kOk, "/home/u/.cache/sojourn, 1 TiB free"));
  EXPECT_THAT(check_cache(with([](auto& f) { f.cache.missing = true; })), is(Verdict::kAbsent, "not there yet"));
  EXPECT_THAT(check_cache(with([](auto& f) { f.cache.fault = "everyone may write to it"; })),
              is(Verdict::kWarn, "everyone", "SOJOURN_CACHE_DIR"));
  EXPECT_THAT(check_cache(with([](auto& f) { f.cache.bytes_free = 0; })), is(Verdict::kWarn, "0 bytes free", "room"));
  EXPECT_THAT(check_cache(with([](auto& f) { f.cache_off = true; })), is(Verdict::kAbsent, "switched off"));
  EXPECT_THAT(check_cache(with([](auto& f) { f.cache.path.clear(); })), is(Verdict::kWarn, "no home folder"));
  EXPECT_THAT(check_output(with([](auto& f) { f.output.fault = "Permission denied"; })),
              is(Verdict::kWarn, "Permission denied", "--output"));
}

TEST(Doctor, Variables) {
  EXPECT_THAT(check_variables(fine()), is(Verdict::kOk, "none of Sojourn's"));
  EXPECT_THAT(check_variables(with([](auto& f) {
                f.variables = {{"SOJOURN_LOG", "debug"}};
              })),
              is(Verdict::kOk, "SOJOURN_LOG=debug"));
  EXPECT_THAT(check_variables(with([](auto& f) {
                f.variables = {{"SOJOURN_NUM_THREAD", "4"}};
              })),
              is(Verdict::kWarn, "did you mean 'SOJOURN_NUM_THREADS'", "no effect"));
  EXPECT_THAT(check_instruction_sets(with([](auto& f) { f.build.instruction_set = "baseline"; })),
              is(Verdict::kWarn, "baseline of", "SOJOURN_INSTRUCTION_SET"));
}

TEST(Doctor, Results) {
  const auto with_verdicts = [](std::vector<std::pair<std::string, std::string>> verdicts) {
    return with([&](auto& f) { f.result = ResultFacts{"r", "", verdicts, ""}; });
  };
  EXPECT_THAT(check_convergence(fine()), is(Verdict::kAbsent, "no results"));
  EXPECT_THAT(check_convergence(with_verdicts({{"a", "PASS"}, {"b", "PASS"}})),
              is(Verdict::kOk, "2 diagnostics passed"));
  EXPECT_THAT(check_convergence(with_verdicts({{"a", "PASS"}, {"b", "WARN"}})),
              is(Verdict::kWarn, "doubtful: b", "iterations"));
  EXPECT_THAT(check_convergence(with_verdicts({{"a", "FAIL"}, {"b", "WARN"}})),
              is(Verdict::kFail, "failed: a", "learning_rate"));
  EXPECT_THAT(check_finite_values(with_verdicts({})), is(Verdict::kOk, "no failure.json"));
  const MachineFacts failed = with([](auto& f) { f.result = ResultFacts{"r", "", {}, "particle 3 is not finite"}; });
  EXPECT_THAT(check_finite_values(failed), is(Verdict::kFail, "particle 3", "priors"));
  EXPECT_EQ(all_checks(failed).size(), all_checks(fine()).size() + 2);
}

TEST(Doctor, ResultsFromFiles) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("sojourn-doctor-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const auto put = [&](const char* name, const char* text) { std::ofstream(folder / name) << text; };
  EXPECT_THAT(result_facts(folder).fault, HasSubstr("cannot read"));
  put("summary.json", R"({"diagnostics": [{"name": "a", "verdict": "WARN"}]})");
  EXPECT_EQ(result_facts(folder).diagnostics, (std::vector<std::pair<std::string, std::string>>{{"a", "WARN"}}));
  put("failure.json", R"({"message": "particle 3"})");
  EXPECT_EQ(result_facts(folder).failure, "particle 3");
  for (const char* const text : {"", "{", "[]", "{}", R"({"diagnostics": 3})", R"({"diagnostics": [{"name": 1}]})"}) {
    put("summary.json", text);
    EXPECT_THAT(result_facts(folder).fault, HasSubstr("is not one of sojourn infer")) << text;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sojourn::cli
