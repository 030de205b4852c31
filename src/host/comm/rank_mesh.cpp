#include "comm/rank_mesh.hpp"

#include <algorithm>

#include "expects.hpp"

namespace sojourn {

RankRows rows_of_rank(std::int64_t count, std::int64_t unit, int rank, int num_ranks) {
  const std::int64_t units = (count + unit - 1) / unit;
  const auto edge = [&](int r) { return std::min(count, units * r / num_ranks * unit); };
  return {edge(rank), edge(rank + 1)};
}

RankMesh choose_mesh(std::int64_t num_rows, std::int64_t num_parts, int num_ranks, std::int64_t part_shares) {
  SOJOURN_EXPECTS(part_shares >= 0 && (part_shares == 0 || num_ranks % part_shares == 0), UsageError,
                  "{} ranks cannot stand in {} shares of the observations; give a divisor of {}", num_ranks,
                  part_shares, num_ranks);
  if (num_parts == 1) return {num_ranks, 1};
  if (part_shares > 0) return {num_ranks / part_shares, part_shares};
  const auto rounded_up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  RankMesh best{num_ranks, 1};
  std::int64_t least = rounded_up(num_rows, num_ranks) * num_parts;
  for (std::int64_t shares = 2; shares <= std::min<std::int64_t>(num_ranks, num_parts); ++shares) {
    if (num_ranks % shares != 0) continue;
    const std::int64_t most = rounded_up(num_rows, num_ranks / shares) * rounded_up(num_parts, shares);
    if (most < least) {
      least = most;
      best = {num_ranks / shares, shares};
    }
  }
  return best;
}

RankRows parts_of_rank(std::int64_t num_parts, std::int64_t part_shares, int rank) {
  const auto shares = static_cast<int>(part_shares);
  return rows_of_rank(num_parts, 1, rank % shares, shares);
}

RankRows parts_held_by_rank(std::int64_t num_parts, std::int64_t part_shares, int rank) {
  const RankRows own = parts_of_rank(num_parts, part_shares, rank);
  return own.begin < own.end ? own : RankRows{0, 1};
}

}  // namespace sojourn
