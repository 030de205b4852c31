#pragma once

#include <string>
#include <vector>

namespace sojourn {

/// What this build can do and which devices it sees.
struct BuildInfo {
  std::string version, compiler, build_type;
  bool cuda = false, nccl = false, mpi = false, openmp = false;
  std::string cuda_version, nccl_version, mpi_version;
  std::vector<std::string> devices;  ///< "cuda:0 NVIDIA H200, 139 GiB"; empty without a GPU
  int num_threads = 1;               ///< threads a run would use
};
BuildInfo build_info();

/// Threads to use: `requested` if > 0, else SOJOURN_NUM_THREADS, SLURM_CPUS_PER_TASK, OMP_NUM_THREADS, else the cores
/// this process may use. @throws UsageError for a variable that is not a positive integer.
int resolve_num_threads(int requested = 0);

}  // namespace sojourn
