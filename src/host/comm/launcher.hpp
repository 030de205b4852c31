#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sojourn/environment.hpp"

namespace sojourn {

/// Most processes or array tasks that are taken for meant.
inline constexpr std::int64_t kMostProcesses = 10'000'000;

/// The whole number that a text is, in digits alone (with a minus); nothing where it is none or too large.
std::optional<std::int64_t> whole_number(std::string_view text);

/// A whole number of an environment variable, from `least` to `kMostProcesses`; nothing where it is unset.
/// @throws CommError naming variable and value; `hint` ends the message.
std::optional<std::int64_t> whole_variable(const Environment& environment, const char* name, std::int64_t least,
                                           const char* hint);
std::optional<std::int64_t> whole_variable(const char* name, std::int64_t least, const char* hint);

/// Which process of how many a launcher says this is.
struct LauncherRank {
  std::int64_t rank = 0, size = 1;
  std::string source;  ///< the variable that told; empty where there is no launcher
};

/// From the variables of Open MPI, MPICH, Intel MPI or srun, in this order. SLURM_NTASKS without a SLURM_PROCID above
/// 0 does not count: a batch script has it too, and runs once; it is checked all the same.
/// @throws CommError for variables that cannot be.
LauncherRank launcher_rank(const Environment& environment, const char* hint);
LauncherRank launcher_rank(const char* hint);

/// Which process of how many on this node, from the same launchers; one of one where they do not say.
/// @throws CommError for variables that cannot be.
LauncherRank rank_on_node(const Environment& environment, const char* hint);

/// How many tasks SLURM puts on a node of a job, from its short form "2(x3),1": 2 for the nodes 0 to 2, 1 for node 3;
/// nothing for a text of another form or a node beyond its end.
std::optional<std::int64_t> tasks_on_node(std::string_view tasks_per_node, std::int64_t node);

}  // namespace sojourn
