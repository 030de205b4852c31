#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/slurm_config.hpp"

namespace sojourn::cli {

/// What a job runs: a run file, a command or models.
struct SlurmWork {
  std::string file;                  ///< that names the job; empty for a command of one's own
  bool is_run_file = false;          ///< `file` is one for `sojourn infer`
  std::vector<std::string> command;  ///< any other program and its arguments
  std::vector<std::string> models;   ///< for `sojourn precompute`, as a job array
  std::string program = "sojourn";   ///< how the nodes find this program
  std::string written_by;            ///< the command line that made the script; empty: not said
};

/// The work that a file stands for: a run file by its ending (.yaml, .yml, .json), a Python script (.py) by python3, a
/// shell script (.sh) by bash, else a program. @param python  what runs a Python script.
SlurmWork work_of_file(const std::string& path, const std::string& python);

/// A batch script for sbatch. What comes from outside is checked or quoted.
/// @throws UsageError for a path or argument with a control character.
std::string slurm_script(const SlurmConfig& config, const SlurmWork& work);

/// What may be wrong with running so many particles on so many ranks and cores; empty where nothing is.
std::vector<std::string> slurm_warnings(const SlurmConfig& config, std::int64_t num_particles);

/// The largest profile that leaves every core ten particles, else the smallest.
const SlurmProfile& suggested_profile(std::int64_t num_particles);

}  // namespace sojourn::cli
