#include "cli/precompute_part.hpp"

#include <optional>
#include <string_view>

#include "comm/launcher.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr const char* kHint = "give --part I/N";

struct Share {
  std::int64_t index = 0, count = 1;
  std::string source;
};

Share task_of_array() {
  const auto id = whole_variable("SLURM_ARRAY_TASK_ID", 0, kHint);
  if (!id) return {};
  const auto count = whole_variable("SLURM_ARRAY_TASK_COUNT", 1, kHint);
  SOJOURN_EXPECTS(count, CommError, "SLURM_ARRAY_TASK_ID={} without SLURM_ARRAY_TASK_COUNT; give --part I/N", *id);
  const std::int64_t least = whole_variable("SLURM_ARRAY_TASK_MIN", 0, kHint).value_or(0);
  const std::int64_t step = whole_variable("SLURM_ARRAY_TASK_STEP", 1, kHint).value_or(1);
  const std::int64_t index = (*id - least) / step;
  SOJOURN_EXPECTS(*id >= least && index < *count && (*id - least) % step == 0, CommError,
                  "SLURM_ARRAY_TASK_ID={} is not one of {} tasks from {} on in steps of {}; give --part I/N", *id,
                  *count, least, step);
  return {index, *count, "SLURM_ARRAY_TASK_ID"};
}

ChosenPart part_of_option(const std::string& option) {
  const auto slash = option.find('/');
  const auto index = whole_number(std::string_view(option).substr(0, slash));
  const auto count = slash == std::string::npos ? std::optional<std::int64_t>()
                                                : whole_number(std::string_view(option).substr(slash + 1));
  SOJOURN_EXPECTS(index && count && *count >= 1 && *count <= kMostProcesses && *index >= 1 && *index <= *count,
                  UsageError, "--part '{}' is not I/N with 1 <= I <= N, as 2/8", option);
  return {{static_cast<std::int32_t>(*index - 1), static_cast<std::int32_t>(*count)}, "--part"};
}

}  // namespace

ChosenPart choose_part(const std::string& option) {
  if (!option.empty()) return part_of_option(option);
  const Share task = task_of_array();
  const LauncherRank rank = launcher_rank(kHint);
  const std::int64_t count = task.count * rank.size;
  SOJOURN_EXPECTS(count <= kMostProcesses, CommError,
                  "{} array tasks of {} ranks are more than {} parts; give --part I/N", task.count, rank.size,
                  kMostProcesses);
  ChosenPart chosen;
  chosen.part.index = static_cast<std::int32_t>(task.index * rank.size + rank.rank);
  chosen.part.count = static_cast<std::int32_t>(count);
  chosen.source = task.source + (!task.source.empty() && !rank.source.empty() ? " and " : "") + rank.source;
  return chosen;
}

}  // namespace sojourn::cli
