#pragma once

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

}  // namespace sojourn
