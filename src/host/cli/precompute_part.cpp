#include "cli/precompute_part.hpp"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMostParts = 10'000'000;

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// Whole number of a variable from `least` on; nothing where it is unset.
std::optional<std::int64_t> variable(const char* name, std::int64_t least) {
  const char* text = std::getenv(name);
  if (text == nullptr) return {};
  const std::optional<std::int64_t> value = whole(text);
  SOJOURN_EXPECTS(value && *value >= least && *value <= kMostParts, CommError,
                  "{}='{}' is not a whole number from {} to {}; unset it, or give --part I/N", name, text, least,
                  kMostParts);
  return value;
}

struct Share {
  std::int64_t index = 0, count = 1;
  std::string source;
};

Share task_of_array() {
  const auto id = variable("SLURM_ARRAY_TASK_ID", 0);
  if (!id) return {};
  const auto count = variable("SLURM_ARRAY_TASK_COUNT", 1);
  SOJOURN_EXPECTS(count, CommError, "SLURM_ARRAY_TASK_ID={} without SLURM_ARRAY_TASK_COUNT; give --part I/N", *id);
  const std::int64_t least = variable("SLURM_ARRAY_TASK_MIN", 0).value_or(0);
  const std::int64_t step = variable("SLURM_ARRAY_TASK_STEP", 1).value_or(1);
  const std::int64_t index = (*id - least) / step;
  SOJOURN_EXPECTS(*id >= least && index < *count && (*id - least) % step == 0, CommError,
                  "SLURM_ARRAY_TASK_ID={} is not one of {} tasks from {} on in steps of {}; give --part I/N", *id,
                  *count, least, step);
  return {index, *count, "SLURM_ARRAY_TASK_ID"};
}

Share rank_of_launcher() {
  constexpr const char* kLaunchers[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                           {"PMI_RANK", "PMI_SIZE"},
                                           {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};
  for (const auto& [rank_name, size_name] : kLaunchers) {
    const auto size = variable(size_name, 1);
    if (!size) continue;
    const auto rank = variable(rank_name, 0);
    SOJOURN_EXPECTS(rank && *rank < *size, CommError, "{} must lie below {}={}; give --part I/N", rank_name, size_name,
                    *size);
    return {*rank, *size, rank_name};
  }
  return {};
}

ChosenPart part_of_option(const std::string& option) {
  const auto slash = option.find('/');
  const auto index = whole(std::string_view(option).substr(0, slash));
  const auto count =
      slash == std::string::npos ? std::optional<std::int64_t>() : whole(std::string_view(option).substr(slash + 1));
  SOJOURN_EXPECTS(index && count && *count >= 1 && *count <= kMostParts && *index >= 1 && *index <= *count, UsageError,
                  "--part '{}' is not I/N with 1 <= I <= N, as 2/8", option);
  return {{static_cast<std::int32_t>(*index - 1), static_cast<std::int32_t>(*count)}, "--part"};
}

}  // namespace

ChosenPart choose_part(const std::string& option) {
  if (!option.empty()) return part_of_option(option);
  const Share task = task_of_array(), rank = rank_of_launcher();
  const std::int64_t count = task.count * rank.count;
  SOJOURN_EXPECTS(count <= kMostParts, CommError, "{} array tasks of {} ranks are more than {} parts; give --part I/N",
                  task.count, rank.count, kMostParts);
  ChosenPart chosen;
  chosen.part.index = static_cast<std::int32_t>(task.index * rank.count + rank.index);
  chosen.part.count = static_cast<std::int32_t>(count);
  chosen.source = task.source + (!task.source.empty() && !rank.source.empty() ? " and " : "") + rank.source;
  return chosen;
}

}  // namespace sojourn::cli
