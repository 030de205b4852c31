#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sojourn::cli {

/// What a job asks of a cluster.
struct SlurmConfig {
  std::string name;  ///< of the job; empty: that of what it runs
  std::int64_t nodes = 1, cpus_per_node = 4;
  std::int64_t tasks_per_node = 0;  ///< ranks; 0: one for each GPU, else one
  std::string memory_per_cpu;       ///< as SLURM writes it, "8G"; empty: the cluster's default
  std::string time_limit = "00:30:00";
  std::string partition, qos, account;
  std::string mpi;  ///< how srun starts ranks of MPI (srun --mpi=list); empty: as this program's MPI wants it
  std::vector<std::string> modules_to_load;
  std::vector<std::pair<std::string, std::string>> env_vars;
  std::vector<std::string> setup;  ///< lines of shell, as they stand
  std::int64_t gpus_per_node = 0;
  std::string platform = "cpu";       ///< "cpu" or "gpu"
  std::int64_t signal_seconds = 120;  ///< before the time limit, to stop at a checkpoint

  [[nodiscard]] std::int64_t ranks_per_node() const;
  [[nodiscard]] std::int64_t num_ranks() const { return nodes * ranks_per_node(); }
  [[nodiscard]] std::int64_t cpus_per_task() const { return cpus_per_node / ranks_per_node(); }
  [[nodiscard]] std::int64_t num_cores() const { return nodes * cpus_per_node; }
};

struct SlurmProfile {
  const char* name;
  const char* purpose;
  std::int64_t nodes, cpus_per_node;
  const char* time_limit;
};
/// debug, small, medium, large, production, from small to large.
std::span<const SlurmProfile> slurm_profiles();

/// @throws UsageError for a name that is none, with a suggestion.
SlurmConfig slurm_config_of_profile(const std::string& name);

/// Reads a configuration file over `config`, which keeps what the file leaves out. Keys: name, nodes, cpus_per_node,
/// tasks_per_node, memory_per_cpu, time_limit, partition, qos, account, mpi, modules_to_load, env_vars, setup,
/// gpus_per_node, platform, signal_seconds, schema (sojourn/slurm/1).
/// @throws IoError, ModelError (file:line:column) for unknown keys and values out of range, UsageError for texts that
/// could be read as shell or as another option.
SlurmConfig read_slurm_config(const std::string& path, SlurmConfig config);
SlurmConfig parse_slurm_config(std::string_view text, const std::string& origin, SlurmConfig config);

/// Seconds of a time as SLURM writes it: minutes, minutes:seconds, hours:minutes:seconds, days-hours,
/// days-hours:minutes, days-hours:minutes:seconds; -1 for another text.
std::int64_t slurm_seconds(std::string_view text);

/// @throws UsageError unless the text is letters, digits and `._+-`, begins with none of `.+-`, and has at most 64:
/// what can be a job's name, and part of a file's, anywhere.
void expect_job_name(const std::string& what, const std::string& text);
/// The same text with everything else replaced by `-`.
std::string as_job_name(const std::string& text);

/// @throws UsageError for a control character, which no line of a script can hold.
void expect_one_line(const std::string& what, const std::string& text);

}  // namespace sojourn::cli
