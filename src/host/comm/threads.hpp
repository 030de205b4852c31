#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sojourn {

/// Largest thread count that is taken for meant rather than for a slip of the pen.
inline constexpr int kMaxThreads = 4096;

/// Thread count from the text of an environment variable. @throws UsageError naming variable and value.
int parse_num_threads(std::string_view variable, std::string_view value);

/// Cores that control groups grant this process: the smallest quota / period, rounded up, from its group up to the
/// root; 0 where there is no limit. `cgroup_root` is /sys/fs/cgroup, `membership` the text of /proc/self/cgroup.
/// Understands cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us).
int cgroup_core_limit(const std::string& cgroup_root, const std::string& membership);

/// Cores that the control group of processor sets allows, from its group up to the root; 0 where it does not say.
/// Arguments as above. Understands version 2 (cpuset.cpus.effective) and 1.
int cgroup_cpuset_size(const std::string& cgroup_root, const std::string& membership);

/// Cores in a list as the kernel writes it, "0-3,8"; 0 for a text of another form.
int count_cpu_list(std::string_view list);

/// Cores of this machine as they show to one process; 0 where something is not known.
struct CoreFacts {
  int own = 1;       ///< this process may run on, its control group's quota counted
  int online = 0;    ///< of the machine
  int granted = 0;   ///< quota of the control group
  int in_group = 0;  ///< processor set of the control group
  int launcher = 0;  ///< the process that started this one may run on
  int slurm = 0;     ///< SLURM_CPUS_ON_NODE of a step
};

/// Cores that all ranks of a node have together: the least of what is known, and not less than `own`.
int cores_of_all_ranks(const CoreFacts& facts);

/// Threads for one of several ranks of a node: its part of the cores of all ranks, and no more than it may run on,
/// where it is bound to some. At least 1.
///
/// A rank bound to a socket that it shares with others gets its part of the machine; so does one that is not bound. A
/// launcher that is itself confined, by taskset or a control group, shares out what it has.
int share_of_cores(const CoreFacts& facts, std::int64_t ranks_on_node);

/// Of this process.
CoreFacts core_facts();

}  // namespace sojourn
