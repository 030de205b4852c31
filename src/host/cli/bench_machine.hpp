#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace sojourn::cli {

/// What the numbers of a benchmark depend on besides the program.
struct BenchMachine {
  std::string cpu;                       ///< "unknown" where the system does not say
  int num_cores = 1;                     ///< of the machine
  int num_usable_cores = 1;              ///< of this process
  std::int64_t l1d = 0, l2 = 0, l3 = 0;  ///< bytes of one cache as core 0 sees it, 0 where unknown
  std::string vectors;                   ///< widest vectors with multiply-adds, e.g. "AVX2 with FMA"
};
BenchMachine bench_machine();

/// Processes that ran or waited to run over the last 1, 5 and 15 minutes; negative where unknown.
std::array<double, 3> load_average();

/// "AMD EPYC, 2 cores (2 usable), caches L1d 32 KiB, L2 512 KiB, L3 32 MiB, AVX2 with FMA".
std::string describe(const BenchMachine& machine);

}  // namespace sojourn::cli
