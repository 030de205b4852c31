#include "cli/memory_check.hpp"

#include <algorithm>

#include "cli/text_table.hpp"
#include "evaluation/replays_held.hpp"
#include "expects.hpp"
#include "sojourn/info.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {

void expect_replays_fit(const PrcCost& cost, std::int64_t num_vectors, bool gradient, int num_threads) {
  const ReplaysHeld held = replays_held(cost.replay, num_vectors, num_threads);
  const double needed = gradient ? held.differences : held.value;
  const auto left = static_cast<double>(memory_left());
  SOJOURN_EXPECTS(needed <= left, ModelError,
                  "evaluation: {} parameter vector{}{} on {} thread{} need{} about {} of memory, {} is left; use fewer "
                  "threads (--threads), a smaller model, or raise --max-memory where the machine has more",
                  num_vectors, num_vectors == 1 ? "" : "s", gradient ? " with gradient" : "", num_threads,
                  num_threads == 1 ? "" : "s", num_vectors == 1 ? "s" : "", format_bytes(needed), format_bytes(left));
}

}  // namespace sojourn::cli
