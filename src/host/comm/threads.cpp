#include "comm/threads.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "expects.hpp"
#include "sojourn/info.hpp"

namespace sojourn {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Cores of one group, 0 for no limit.
int cores_of_group(const std::string& folder) {
  double quota = 0, period = 0;
  std::istringstream v2(text_of_file(folder + "/cpu.max"));
  if (!(v2 >> quota >> period)) {  // "max 100000" stops at the word: no limit
    std::istringstream v1_quota(text_of_file(folder + "/cpu.cfs_quota_us"));
    std::istringstream v1_period(text_of_file(folder + "/cpu.cfs_period_us"));
    if (!(v1_quota >> quota) || !(v1_period >> period)) return 0;
  }
  if (!(quota > 0) || !(period > 0)) return 0;  // v1 writes -1 for no limit
  return std::max(1, static_cast<int>(std::min(std::ceil(quota / period), 1e9)));
}

int cores_of_affinity() {
  // The kernel refuses a mask shorter than its own, so the mask grows until it is taken.
  for (int num_cpus = 1024; num_cpus <= (1 << 20); num_cpus *= 2) {
    cpu_set_t* mask = CPU_ALLOC(num_cpus);
    if (mask == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(num_cpus);
    const int count = sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return count;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int parse_num_threads(std::string_view variable, std::string_view value) {
  std::string_view digits = trimmed(value);
  if (variable == "OMP_NUM_THREADS") digits = trimmed(digits.substr(0, digits.find(',')));
  long long count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  SOJOURN_EXPECTS(
      (error == std::errc() || error == std::errc::result_out_of_range) && end == digits.data() + digits.size() &&
          !digits.empty() && (error == std::errc::result_out_of_range || count > 0),
      UsageError, "{}='{}' is not a positive integer; unset it or give the number of threads to use", variable, value);
  SOJOURN_EXPECTS(error == std::errc() && count <= kMaxThreads, UsageError,
                  "{}='{}' is more than {} threads; give a number from 1 to {}, at best the number of cores ({} here)",
                  variable, value, kMaxThreads, kMaxThreads, num_usable_cores());
  return static_cast<int>(count);
}

int cgroup_core_limit(const std::string& cgroup_root, const std::string& membership) {
  int limit = 0;
  const auto tighten = [&limit](int cores) {
    if (cores > 0) limit = limit == 0 ? cores : std::min(limit, cores);
  };
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    // "hierarchy:controllers:path"; hierarchy 0 with no controllers is v2.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    std::vector<std::string> roots;
    if (controllers.empty()) {
      roots = {cgroup_root, cgroup_root + "/unified"};
    } else if ((',' + controllers + ',').find(",cpu,") != std::string::npos) {
      roots = {cgroup_root + "/cpu", cgroup_root + "/" + controllers};
    }
    for (const std::string& root : roots) {
      std::string group = path == "/" ? "" : path;
      while (true) {
        tighten(cores_of_group(root + group));
        if (group.empty()) break;
        group.erase(group.find_last_of('/') == std::string::npos ? 0 : group.find_last_of('/'));
      }
    }
  }
  return limit;
}

int num_usable_cores() {
  const int granted = cgroup_core_limit("/sys/fs/cgroup", text_of_file("/proc/self/cgroup"));
  const int allowed = cores_of_affinity();
  return granted > 0 ? std::min(granted, allowed) : allowed;
}

int resolve_num_threads(int requested) {
  SOJOURN_EXPECTS(requested >= 0 && requested <= kMaxThreads, UsageError,
                  "threads: {} must be from 1 to {}, or 0 for the cores this process may use", requested, kMaxThreads);
  if (requested > 0) return requested;
  for (const char* variable : {"SOJOURN_NUM_THREADS", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"}) {
    if (const char* value = std::getenv(variable)) return parse_num_threads(variable, value);
  }
  return num_usable_cores();
}

std::string oversubscription_warning(int num_threads) {
  const int cores = num_usable_cores();
  if (num_threads <= 4 * cores) return {};
  return fmt::format("{} threads on {} usable cores will run slower than {}; ask for at most the number of cores",
                     num_threads, cores, cores);
}

}  // namespace sojourn
