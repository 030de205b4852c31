#include "cli/memory_check.hpp"

#include <algorithm>

#include "cli/text_table.hpp"
#include "expects.hpp"
#include "sojourn/info.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {

double replay_bytes(std::int64_t bytes_per_vector, std::int64_t num_vectors, int num_threads) {
  // Blocks are one vector register wide for few parameter vectors, eight for more; see evaluation/lane_replay.hpp.
  const std::int64_t narrow = instruction_set() == InstructionSet::kAvx512 ? 8 : 4;
  const std::int64_t width = num_vectors <= 2 * narrow ? narrow : 8 * narrow;
  const std::int64_t num_blocks = std::max<std::int64_t>(1, (num_vectors + width - 1) / width);
  return static_cast<double>(bytes_per_vector) * static_cast<double>(width) *
         static_cast<double>(std::min<std::int64_t>(num_blocks, num_threads));
}

void expect_replays_fit(const PrcCost& cost, std::int64_t num_vectors, bool gradient, int num_threads) {
  const std::int64_t doubles = cost.num_slots + (gradient ? 2 * cost.num_transient : 0);
  const double needed = replay_bytes(8 * doubles, num_vectors, num_threads);
  const auto left = static_cast<double>(memory_left());
  SOJOURN_EXPECTS(needed <= left, ModelError,
                  "evaluation: {} parameter vector{}{} on {} thread{} need{} about {} of memory, {} is left; use fewer "
                  "threads (--threads), a smaller model, or raise --max-memory where the machine has more",
                  num_vectors, num_vectors == 1 ? "" : "s", gradient ? " with gradient" : "", num_threads,
                  num_threads == 1 ? "" : "s", num_vectors == 1 ? "s" : "", format_bytes(needed), format_bytes(left));
}

}  // namespace sojourn::cli
