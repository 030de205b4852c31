#include "comm/launcher.hpp"

#include <charconv>
#include <cstdlib>

#include "expects.hpp"

namespace sojourn {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::optional<std::int64_t> whole_variable(const char* name, std::int64_t least, const char* hint) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return {};
  const std::optional<std::int64_t> value = whole_number(text);
  SOJOURN_EXPECTS(value && *value >= least && *value <= kMostProcesses, CommError,
                  "{}='{}' is not a {} integer up to {}; unset it, or {}", name, text,
                  least > 0 ? "positive" : "non-negative", kMostProcesses, hint);
  return value;
}

LauncherRank launcher_rank(const char* hint) {
  constexpr const char* kLaunchers[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                           {"PMI_RANK", "PMI_SIZE"},
                                           {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};
  // A slip in a script is told even where another variable decides.
  (void)whole_variable("SLURM_NTASKS", 1, hint);
  for (const auto& [rank_name, size_name] : kLaunchers) {
    const auto size = whole_variable(size_name, 1, hint);
    if (!size) continue;
    const auto rank = whole_variable(rank_name, 0, hint);
    SOJOURN_EXPECTS(rank, CommError, "{}={} without {}; {}", size_name, *size, rank_name, hint);
    SOJOURN_EXPECTS(*rank < *size, CommError, "{}={} must lie below {}={}; {}", rank_name, *rank, size_name, *size,
                    hint);
    return {*rank, *size, rank_name};
  }
  return {};
}

}  // namespace sojourn
