#include "comm/threads.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "comm/launcher.hpp"
#include "expects.hpp"
#include "sojourn/environment.hpp"
#include "sojourn/info.hpp"

namespace sojourn {

namespace {

constexpr const char* kControlGroups = "/sys/fs/cgroup";
/// Largest number of a processor that is taken for meant.
constexpr std::int64_t kLargestCpu = 1 << 20;

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

/// Calls `visit` with the folder of every group this process is in under a controller, from its own up to the root.
template <class Visit>
void visit_groups(const std::string& cgroup_root, const std::string& membership, const std::string& controller,
                  const Visit& visit) {
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    // "hierarchy:controllers:path"; hierarchy 0 with no controllers is v2.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    std::vector<std::string> roots;
    if (controllers.empty()) {
      roots = {cgroup_root, cgroup_root + "/unified"};
    } else if ((',' + controllers + ',').find(',' + controller + ',') != std::string::npos) {
      roots = {cgroup_root + '/' + controller, cgroup_root + "/" + controllers};
    }
    for (const std::string& root : roots) {
      std::string group = path == "/" ? "" : path;
      while (true) {
        visit(root + group);
        if (group.empty()) break;
        group.erase(group.find_last_of('/') == std::string::npos ? 0 : group.find_last_of('/'));
      }
    }
  }
}

/// Ranks that the launcher has put on this node.
std::int64_t ranks_here() { return rank_on_node(process_environment(), "start the program without a launcher").size; }

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
  visit_groups(cgroup_root, membership, "cpu", [&limit](const std::string& folder) {
    const int cores = cores_of_group(folder);
    if (cores > 0) limit = limit == 0 ? cores : std::min(limit, cores);
  });
  return limit;
}

int cgroup_cpuset_size(const std::string& cgroup_root, const std::string& membership) {
  int size = 0;
  visit_groups(cgroup_root, membership, "cpuset", [&size](const std::string& folder) {
    for (const char* const name : {"/cpuset.cpus.effective", "/cpuset.effective_cpus", "/cpuset.cpus"}) {
      const int cores = count_cpu_list(text_of_file(folder + name));
      if (cores > 0) size = size == 0 ? cores : std::min(size, cores);
    }
  });
  return size;
}

int count_cpu_list(std::string_view list) {
  int count = 0;
  for (list = trimmed(list); !list.empty();) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    const auto dash = item.find('-');
    const auto first = whole_number(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : whole_number(item.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > kLargestCpu) return 0;
    count += static_cast<int>(*last - *first + 1);
  }
  return count;
}

CoreFacts core_facts() {
  const std::string membership = text_of_file("/proc/self/cgroup");
  CoreFacts facts;
  facts.granted = cgroup_core_limit(kControlGroups, membership);
  facts.own = cores_of_affinity();
  if (facts.granted > 0) facts.own = std::min(facts.own, facts.granted);
  facts.online = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  facts.in_group = cgroup_cpuset_size(kControlGroups, membership);
  std::istringstream lines(text_of_file(fmt::format("/proc/{}/status", ::getppid())));
  constexpr std::string_view kAllowed = "Cpus_allowed_list:";
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(kAllowed, 0) == 0) facts.launcher = count_cpu_list(std::string_view(line).substr(kAllowed.size()));
  }
  const Environment environment = process_environment();
  if (environment("SLURM_STEP_NUM_TASKS")) {
    if (const auto on_node = environment("SLURM_CPUS_ON_NODE"))
      facts.slurm = static_cast<int>(std::clamp<std::int64_t>(whole_number(*on_node).value_or(0), 0, kLargestCpu));
  }
  return facts;
}

int cores_of_all_ranks(const CoreFacts& facts) {
  int all = 0;
  // What is less than this process alone may use says nothing about all.
  for (const int known : {facts.online, facts.granted, facts.in_group, facts.launcher, facts.slurm}) {
    if (known >= facts.own) all = all == 0 ? known : std::min(all, known);
  }
  return std::max(all, facts.own);
}

int share_of_cores(const CoreFacts& facts, std::int64_t ranks_on_node) {
  const std::int64_t share = cores_of_all_ranks(facts) / std::max<std::int64_t>(1, ranks_on_node);
  return static_cast<int>(std::clamp<std::int64_t>(share, 1, std::max(1, facts.own)));
}

int num_usable_cores() {
  const int granted = cgroup_core_limit(kControlGroups, text_of_file("/proc/self/cgroup"));
  const int allowed = cores_of_affinity();
  return granted > 0 ? std::min(granted, allowed) : allowed;
}

int resolve_num_threads(int requested) {
  SOJOURN_EXPECTS(requested >= 0 && requested <= kMaxThreads, UsageError,
                  "threads: {} must be from 1 to {}, or 0 for the cores this process may use", requested, kMaxThreads);
  if (requested > 0) return requested;
  for (const char* variable : {"SOJOURN_NUM_THREADS", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"}) {
    if (const auto value = process_environment()(variable)) return parse_num_threads(variable, *value);
  }
  const std::int64_t ranks = ranks_here();
  return ranks > 1 ? share_of_cores(core_facts(), ranks) : num_usable_cores();
}

std::string oversubscription_warning(int num_threads) {
  const std::int64_t ranks = ranks_here();
  const int cores = ranks > 1 ? cores_of_all_ranks(core_facts()) : num_usable_cores();
  if (num_threads * ranks <= 4 * cores) return {};
  if (ranks > 1)
    return fmt::format(
        "{} ranks of {} thread{} on {} usable cores will run slower than {} threads in all; start fewer ranks, or ask "
        "for fewer threads",
        ranks, num_threads, num_threads == 1 ? "" : "s", cores, cores);
  return fmt::format("{} threads on {} usable cores will run slower than {}; ask for at most the number of cores",
                     num_threads, cores, cores);
}

}  // namespace sojourn
