#include <algorithm>
#include <string>

#include "comm/rank_mesh.hpp"
#include "comm/shared_arrays.hpp"
#include "expects.hpp"
#include "graph/content_hash.hpp"
#include "sojourn/shared_problem.hpp"

namespace sojourn {
namespace {

/// Observations that travel at once.
constexpr std::int64_t kPiece = std::int64_t{1} << 16;

/// What all ranks have to know before observations come.
struct Outline {
  std::int64_t part_shares, num_parts, num_observations, num_points, num_rows;
  std::int32_t counts, has_rows;  // as flags
};

/// Names everything of observations but their number of rows and their kind.
template <class Data>
void name_arrays(SharedArrays& shared, Data& observations) {
  auto& [items, num_rows, counts, origin, first_row] = observations;
  (void)num_rows, (void)counts;
  shared.add(items);
  shared.add(origin);
  shared.add(first_row);
}

/// The parts of rank `rank`.
HeldParts parts_of(const Outline& outline, int rank) {
  const RankRows own = parts_held_by_rank(outline.num_parts, outline.part_shares, rank);
  return {.num_shares = outline.part_shares,
          .num_parts = outline.num_parts,
          .first = own.begin,
          .last = own.end,
          .num_observations = outline.num_observations,
          .num_points = outline.num_points};
}

/// Goes through rank 0's observations in the order of parts.
class PartWalk {
 public:
  explicit PartWalk(const Posterior& posterior) : posterior_(posterior) {}
  /// The next one's index.
  std::size_t next() {
    while (place_ == items_.size()) {
      items_ = posterior_.items_of_part(part_++);
      place_ = 0;
    }
    return static_cast<std::size_t>(items_[place_++]);
  }

 private:
  const Posterior& posterior_;
  std::span<const std::int64_t> items_;
  std::size_t place_ = 0;
  std::int64_t part_ = 0;
};

/// All observations pass every rank, piece by piece, and it keeps those of its own parts: a broadcast costs no more
/// than as many messages to single ranks, and all ranks can tell that they have seen the same.
void hand_out(Communicator& ranks, const Posterior* own, const Outline& outline, const HeldParts& held,
              Observations& kept) {
  const bool gives = ranks.rank() == 0;
  std::optional<PartWalk> walk;
  if (gives) walk.emplace(*own);
  const std::int64_t begin = held.begin_of(held.first), end = held.begin_of(held.last);
  std::vector<Observation> items;
  std::vector<std::int64_t> rows;
  ContentHash hash;
  for (std::int64_t first = 0; first < outline.num_observations; first += kPiece) {
    const std::int64_t last = std::min(first + kPiece, outline.num_observations);
    items.resize(static_cast<std::size_t>(last - first));
    rows.resize(outline.has_rows != 0 ? items.size() : 0);
    for (std::size_t i = 0; gives && i < items.size(); ++i) {
      const std::size_t from = walk->next();
      items[i] = own->observations().items[from];
      if (!rows.empty()) rows[i] = own->observations().first_row[from];
    }
    ranks.broadcast_in_place(std::span(items), 0);
    hash.add_bytes(items.data(), items.size() * sizeof(Observation));
    if (!rows.empty()) {
      ranks.broadcast_in_place(std::span(rows), 0);
      hash.add_bytes(rows.data(), rows.size() * sizeof(std::int64_t));
    }
    if (gives) continue;
    for (std::int64_t i = std::max(first, begin); i < std::min(last, end); ++i) {
      kept.items.push_back(items[static_cast<std::size_t>(i - first)]);
      if (!rows.empty()) kept.first_row.push_back(rows[static_cast<std::size_t>(i - first)]);
    }
  }
  const XXH128_hash_t sum = hash.digest();
  expect_same_everywhere(ranks, "observations", fmt::format("{:016x}{:016x}", sum.high64, sum.low64));
}

}  // namespace

SharedObservations share_observations(Communicator& ranks, Posterior* own, std::int64_t part_shares) {
  const bool gives = ranks.rank() == 0;
  Outline outline{};
  if (gives) {
    SOJOURN_EXPECTS(own != nullptr, UsageError, "share_observations: rank 0 gives no posterior");
    SOJOURN_EXPECTS(part_shares == 1 || (part_shares > 1 && ranks.size() % part_shares == 0 && own->num_parts() > 1),
                    UsageError, "share_observations: {} shares of observations in {} part(s) for {} ranks", part_shares,
                    own->num_parts(), ranks.size());
    own->hold_parts(std::nullopt);
    const Observations& all = own->observations();
    outline = {.part_shares = part_shares,
               .num_parts = own->num_parts(),
               .num_observations = std::ssize(all.items),
               .num_points = own->compression().num_points,
               .num_rows = all.num_rows,
               .counts = all.counts ? 1 : 0,
               .has_rows = all.first_row.empty() ? 0 : 1};
  }
  outline = ranks.broadcast(std::span<const Outline>(&outline, 1), 0)[0];
  SharedObservations given;
  given.observations.num_rows = outline.num_rows;
  given.observations.counts = outline.counts != 0;
  SharedArrays shared(ranks);
  if (outline.part_shares == 1) {
    if (gives) {
      name_arrays(shared, own->observations());
    } else {
      name_arrays(shared, given.observations);
    }
    shared.exchange("observations");
    return given;
  }
  const HeldParts held = parts_of(outline, ranks.rank());
  if (gives) {
    shared.add(own->observations().origin);
  } else {
    shared.add(given.observations.origin);
  }
  shared.exchange("observations' origin");
  const auto room = static_cast<std::size_t>(gives ? 0 : held.num_held());
  make_room_on_every_rank(ranks, static_cast<std::int64_t>(room * (sizeof(Observation) + sizeof(std::int64_t))), [&] {
    given.observations.items.reserve(room);
    if (outline.has_rows != 0) given.observations.first_row.reserve(room);
  });
  hand_out(ranks, own, outline, held, given.observations);
  given.held = held;
  if (gives) own->hold_parts(held);
  return given;
}

}  // namespace sojourn
