#include "comm/launcher.hpp"

#include <charconv>

#include "expects.hpp"

namespace sojourn {
namespace {

struct Variables {
  const char* rank;
  const char* size;
};

// MPICH and Intel MPI share PMI_*; both start their processes by Hydra, which adds MPI_LOCAL*.
constexpr Variables kLaunchers[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                    {"PMI_RANK", "PMI_SIZE"},
                                    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};
constexpr Variables kOnNode[] = {{"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
                                 {"MPI_LOCALRANKID", "MPI_LOCALNRANKS"}};

std::optional<LauncherRank> rank_of(const Environment& environment, const Variables& names, const char* hint) {
  const auto size = whole_variable(environment, names.size, 1, hint);
  if (!size) return {};
  const auto rank = whole_variable(environment, names.rank, 0, hint);
  SOJOURN_EXPECTS(rank, CommError, "{}={} without {}; {}", names.size, *size, names.rank, hint);
  SOJOURN_EXPECTS(*rank < *size, CommError, "{}={} must lie below {}={}; {}", names.rank, *rank, names.size, *size,
                  hint);
  return LauncherRank{*rank, *size, names.rank};
}

}  // namespace

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::optional<std::int64_t> whole_variable(const Environment& environment, const char* name, std::int64_t least,
                                           const char* hint) {
  const std::optional<std::string> text = environment(name);
  if (!text) return {};
  const std::optional<std::int64_t> value = whole_number(*text);
  SOJOURN_EXPECTS(value && *value >= least && *value <= kMostProcesses, CommError,
                  "{}='{}' is not a {} integer up to {}; unset it, or {}", name, *text,
                  least > 0 ? "positive" : "non-negative", kMostProcesses, hint);
  return value;
}

std::optional<std::int64_t> whole_variable(const char* name, std::int64_t least, const char* hint) {
  return whole_variable(process_environment(), name, least, hint);
}

LauncherRank launcher_rank(const Environment& environment, const char* hint) {
  // A slip in a script is told even where another variable decides.
  const auto num_tasks = whole_variable(environment, "SLURM_NTASKS", 1, hint);
  for (const Variables& names : kLaunchers) {
    if (const auto rank = rank_of(environment, names, hint)) return *rank;
  }
  const auto task = whole_variable(environment, "SLURM_PROCID", 0, hint);
  if (!task || *task == 0 || !num_tasks) return {};
  return *rank_of(environment, {"SLURM_PROCID", "SLURM_NTASKS"}, hint);
}

LauncherRank launcher_rank(const char* hint) { return launcher_rank(process_environment(), hint); }

std::optional<std::int64_t> tasks_on_node(std::string_view tasks_per_node, std::int64_t node) {
  while (!tasks_per_node.empty()) {
    const std::string_view item = tasks_per_node.substr(0, tasks_per_node.find(','));
    tasks_per_node.remove_prefix(std::min(tasks_per_node.size(), item.size() + 1));
    const auto repeat = item.find("(x");
    const auto tasks = whole_number(item.substr(0, repeat));
    std::optional<std::int64_t> times = 1;
    if (repeat != std::string_view::npos) {
      if (item.back() != ')') return {};
      times = whole_number(item.substr(repeat + 2, item.size() - repeat - 3));
    }
    if (!tasks || *tasks < 1 || !times || *times < 1) return {};
    if (node < *times) return tasks;
    node -= *times;
  }
  return {};
}

LauncherRank rank_on_node(const Environment& environment, const char* hint) {
  for (const Variables& names : kOnNode) {
    if (const auto rank = rank_of(environment, names, hint)) return *rank;
  }
  // A batch script has SLURM_TASKS_PER_NODE too; a step has the form of its own.
  const std::optional<std::string> tasks = environment("SLURM_STEP_TASKS_PER_NODE");
  if (!tasks) return {};
  const std::int64_t node = whole_variable(environment, "SLURM_NODEID", 0, hint).value_or(0);
  const auto size = tasks_on_node(*tasks, node);
  SOJOURN_EXPECTS(size, CommError, "SLURM_STEP_TASKS_PER_NODE='{}' has no tasks for SLURM_NODEID={}; {}", *tasks, node,
                  hint);
  const std::int64_t rank = whole_variable(environment, "SLURM_LOCALID", 0, hint).value_or(0);
  SOJOURN_EXPECTS(rank < *size, CommError,
                  "SLURM_LOCALID={} must lie below the {} tasks of SLURM_STEP_TASKS_PER_NODE='{}'; {}", rank, *size,
                  *tasks, hint);
  return {rank, *size, "SLURM_STEP_TASKS_PER_NODE"};
}

}  // namespace sojourn
