#pragma once

#include <cstdint>

namespace sojourn {

/// [begin, end) of `count` items in blocks of `unit` for one rank; the blocks of all ranks cover all items, in order.
struct RankRows {
  std::int64_t begin, end;
};
RankRows rows_of_rank(std::int64_t count, std::int64_t unit, int rank, int num_ranks);

/// How ranks stand to the work: rank r has the rows of share r / part_shares and, of these, the parts of share
/// r % part_shares.
struct RankMesh {
  std::int64_t row_shares = 1, part_shares = 1;
};
/// The mesh on which the busiest rank has the fewest parts of rows to evaluate, with as few part shares as that takes:
/// sharing out rows alone moves the least. `part_shares` > 0 asks for so many; where there is one part alone, there is
/// one share.
/// @throws UsageError where these do not divide the number of ranks.
RankMesh choose_mesh(std::int64_t num_rows, std::int64_t num_parts, int num_ranks, std::int64_t part_shares = 0);

/// The parts that a rank evaluates in a mesh of `part_shares`; none where there are fewer parts than shares.
RankRows parts_of_rank(std::int64_t num_parts, std::int64_t part_shares, int rank);
/// The parts that it holds: those that it evaluates, or the first one, as no likelihood is made of nothing.
RankRows parts_held_by_rank(std::int64_t num_parts, std::int64_t part_shares, int rank);

}  // namespace sojourn
