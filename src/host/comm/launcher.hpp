#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sojourn {

/// Most processes or array tasks that are taken for meant.
inline constexpr std::int64_t kMostProcesses = 10'000'000;

/// The whole number that a text is, in digits alone (with a minus); nothing where it is none or too large.
std::optional<std::int64_t> whole_number(std::string_view text);

/// A whole number of an environment variable, from `least` to `kMostProcesses`; nothing where it is unset.
/// @throws CommError naming variable and value; `hint` ends the message.
std::optional<std::int64_t> whole_variable(const char* name, std::int64_t least, const char* hint);

/// Which process of how many a launcher says this is.
struct LauncherRank {
  std::int64_t rank = 0, size = 1;
  std::string source;  ///< the variable that told; empty where there is no launcher
};

/// From the variables of Open MPI, MPICH, Intel MPI or srun, in this order. SLURM_NTASKS alone does not count: a batch
/// script has it too, and runs once; it is checked all the same. @throws CommError for variables that cannot be.
LauncherRank launcher_rank(const char* hint);

}  // namespace sojourn
