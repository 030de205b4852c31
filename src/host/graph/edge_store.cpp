#include "graph/edge_store.hpp"

#include <algorithm>
#include <utility>

#include "concurrent.hpp"

namespace sojourn {

void EdgeRows::clear() {
  row_end.clear();
  to.clear();
  base.clear();
  term_end.clear();
  terms.clear();
}

EdgeRows EdgeRows::of_graph() {
  EdgeRows rows;
  rows.row_end.push_back(0);
  rows.term_end.push_back(0);
  return rows;
}

void append_rows(EdgeRows& all, const std::vector<EdgeRows>& parts, std::size_t num_parts, int num_threads) {
  struct Place {
    std::size_t row, edge, term;
  };
  // The ends of a whole graph have a 0 before them.
  const std::size_t offset = all.term_end.size() - all.to.size();
  std::vector<Place> places{{all.row_end.size(), all.to.size(), all.terms.size()}};
  for (std::size_t p = 0; p < num_parts; ++p) {
    const Place& last = places.back();
    const EdgeRows& part = parts[p];
    places.push_back({last.row + part.row_end.size(), last.edge + part.to.size(), last.term + part.terms.size()});
  }
  all.row_end.extend(places.back().row);
  all.to.extend(places.back().edge);
  all.base.extend(places.back().edge);
  all.term_end.extend(places.back().edge + offset);
  all.terms.extend(places.back().term);
  for_each_concurrently(num_parts, num_threads, [&](std::size_t p, int) {
    const Place& place = places[p];
    const EdgeRows& part = parts[p];
    std::copy(part.to.begin(), part.to.end(), all.to.begin() + place.edge);
    std::copy(part.base.begin(), part.base.end(), all.base.begin() + place.edge);
    std::copy(part.terms.begin(), part.terms.end(), all.terms.begin() + place.term);
    const auto edges_before = static_cast<std::int64_t>(place.edge),
               terms_before = static_cast<std::int64_t>(place.term);
    std::transform(part.row_end.begin(), part.row_end.end(), all.row_end.begin() + place.row,
                   [=](std::int64_t end) { return edges_before + end; });
    std::transform(part.term_end.begin(), part.term_end.end(), all.term_end.begin() + place.edge + offset,
                   [=](std::int64_t end) { return terms_before + end; });
  });
}

void move_rows(EdgeRows&& rows, StateGraphBuilder& builder) {
  builder.set_rows(std::move(rows.row_end), std::move(rows.to), std::move(rows.base), std::move(rows.term_end),
                   std::move(rows.terms));
}

}  // namespace sojourn
