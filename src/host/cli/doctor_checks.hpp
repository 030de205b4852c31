#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sojourn/distributed.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {

enum class Verdict : std::uint8_t { kOk, kAbsent, kWarn, kFail };
/// "ok", "absent", "warn", "fail".
const char* to_string(Verdict verdict);

struct Check {
  std::string name;
  Verdict verdict = Verdict::kOk;
  std::string found;   ///< what there is
  std::string advice;  ///< the way out; empty where none is needed
};

/// A value, or why there is none.
template <class T>
struct Fact {
  T value{};
  std::string fault;
};

/// What a folder is like.
struct FolderFacts {
  std::string path;
  std::string fault;             ///< why it cannot be used; empty if it can
  bool missing = false;          ///< it is not there, and would be made
  std::int64_t bytes_free = -1;  ///< -1 where that is not known
};

/// Diagnostics of a run's results.
struct ResultFacts {
  std::string folder, fault;                                     ///< why they cannot be read
  std::vector<std::pair<std::string, std::string>> diagnostics;  ///< name and PASS, WARN or FAIL
  std::string failure;                                           ///< message of failure.json
};

/// Everything the checks look at, so that each is a function of it.
struct MachineFacts {
  BuildInfo build;  ///< devices included; its thread count is not read
  std::string host, program, program_in_path;
  std::map<std::string, std::string> variables;  ///< of the environment that begin with SOJOURN_
  int cores_online = 0, cores_usable = 1;
  int cores_of_ranks = 0;  ///< that all ranks of this node may use together
  std::int64_t ranks_here = 1;
  Fact<int> threads;
  std::string thread_warning;
  std::string wait_policy;  ///< OMP_WAIT_POLICY
  Fact<std::int64_t> memory_left;
  std::string driver;            ///< "580.65.06" of the NVIDIA driver; empty without one
  bool asks_for_gpu = false;     ///< SOJOURN_DEVICE
  std::string mpi_library;       ///< its own name and version; empty in a build without MPI
  std::optional<bool> mpi_cuda;  ///< whether MPI takes device memory; nothing where it does not say
  std::string cuda_aware_mpi;    ///< SOJOURN_CUDA_AWARE_MPI
  std::string mpirun;            ///< first line of `mpirun --version`; empty where there is none
  Fact<std::pair<std::string, std::int64_t>> launcher;  ///< variable that tells the rank, and how many ranks
  Fact<std::int64_t> ranks;                             ///< that MPI found
  Fact<SlurmEnvironment> slurm;
  std::vector<std::string> slurm_commands;  ///< of srun, sbatch, scontrol, squeue: those there are
  std::string mpi_plugins;                  ///< what `srun --mpi=list` writes
  std::int64_t seconds_left = -1;           ///< of the job; -1 where that is not known
  Fact<CoordinatorAddress> coordinator;
  bool is_first_rank = true;
  std::string port_fault;  ///< on the first rank that the port is taken, on others that the first one is not reached
  std::vector<std::string> interfaces;  ///< "eth0 10.0.0.7", loopback left out
  FolderFacts cache, output;
  bool cache_off = false;
  std::optional<ResultFacts> result;
};

Check check_program(const MachineFacts& facts);
Check check_cores(const MachineFacts& facts);
Check check_threads(const MachineFacts& facts);
Check check_memory(const MachineFacts& facts);
Check check_instruction_sets(const MachineFacts& facts);
Check check_gpu(const MachineFacts& facts);
Check check_cuda(const MachineFacts& facts);
Check check_nccl(const MachineFacts& facts);
/// How srun starts ranks of an MPI that calls itself so: pmi2 for MPICH and those made from it, else pmix.
const char* srun_mpi_of(const std::string& mpi_library);
Check check_mpi(const MachineFacts& facts);
Check check_cuda_aware_mpi(const MachineFacts& facts);
Check check_launcher(const MachineFacts& facts);
Check check_slurm(const MachineFacts& facts);
Check check_slurm_commands(const MachineFacts& facts);
Check check_time_limit(const MachineFacts& facts);
Check check_coordinator(const MachineFacts& facts);
Check check_network(const MachineFacts& facts);
Check check_cache(const MachineFacts& facts);
Check check_output(const MachineFacts& facts);
Check check_variables(const MachineFacts& facts);
Check check_convergence(const MachineFacts& facts);
Check check_finite_values(const MachineFacts& facts);

/// All of them, in this order; the last two where there are results.
std::vector<Check> all_checks(const MachineFacts& facts);

}  // namespace sojourn::cli
