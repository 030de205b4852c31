#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sojourn {

/// Instruction sets that kernels are compiled for, all in one binary: what every processor of the architecture has;
/// AVX2 with FMA (x86-64-v3); AVX-512 F, BW, CD, DQ, VL (x86-64-v4).
enum class InstructionSet : std::uint8_t { kBaseline, kAvx2, kAvx512 };
/// "baseline", "avx2", "avx512".
const char* to_string(InstructionSet set);

/// Sets that this build holds and this machine can run, narrow to wide.
std::vector<InstructionSet> usable_instruction_sets();

/// The set in use: the widest usable one, or SOJOURN_INSTRUCTION_SET. Chosen at the first call and kept.
/// @throws UsageError where that variable names a set that is unknown or not usable.
InstructionSet instruction_set();

/// What this build can do and which devices it sees.
struct BuildInfo {
  std::string version, compiler, build_type;
  bool cuda = false, nccl = false, mpi = false, openmp = false;
  std::string cuda_version, nccl_version, mpi_version;
  std::vector<std::string> devices;           ///< "cuda:0 NVIDIA H200, 139 GiB"; empty without a GPU
  int num_threads = 1;                        ///< threads a run would use
  std::string instruction_set;                ///< of the kernels in use
  std::vector<std::string> instruction_sets;  ///< usable here, narrow to wide
};
/// @throws UsageError for a thread variable in the environment that is not a positive integer, and as
/// `instruction_set`.
BuildInfo build_info();

/// Lists the devices of a build that has device code, one text each.
using DeviceLister = std::vector<std::string> (*)();

/// Gives `build_info` its device list; a program that links device code calls this once at start. Null takes the list
/// away.
void set_device_lister(DeviceLister lister);

/// Threads to use: `requested` if > 0, else SOJOURN_NUM_THREADS, SLURM_CPUS_PER_TASK, OMP_NUM_THREADS, else the cores
/// this process may use, or its share of them where a launcher says that several ranks run on this node. Of an
/// OMP_NUM_THREADS list (one number per nesting level) the first counts.
/// @throws UsageError for a negative request, a variable that is not a positive integer, and more than 4096 threads;
/// CommError for a launcher's variables that cannot be.
int resolve_num_threads(int requested = 0);

/// Cores this process may use: its affinity mask, cut to the processor time its control group grants (rounded up).
int num_usable_cores();

/// Text of a warning when `num_threads`, times the ranks on this node, is more than four times the usable cores, else
/// empty.
std::string oversubscription_warning(int num_threads);

}  // namespace sojourn
