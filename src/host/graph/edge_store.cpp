#include "graph/edge_store.hpp"

#include <algorithm>
#include <utility>

#include "concurrent.hpp"

namespace sojourn {

void EdgeRows::clear() {
  row_begin.clear();
  row_begin.push_back(0);
  to.clear();
  base.clear();
  term_begin.clear();
  term_begin.push_back(0);
  terms.clear();
}

void append_rows(EdgeRows& all, const std::vector<EdgeRows>& parts, std::size_t num_parts, int num_threads) {
  struct Place {
    std::size_t row, edge, term;
  };
  std::vector<Place> places{{all.row_begin.size() - 1, all.to.size(), all.terms.size()}};
  for (std::size_t p = 0; p < num_parts; ++p) {
    const Place& last = places.back();
    const EdgeRows& part = parts[p];
    places.push_back({last.row + part.row_begin.size() - 1, last.edge + part.to.size(), last.term + part.terms.size()});
    if (part.base.is_held()) all.base.hold();
    if (part.term_begin.is_held()) all.term_begin.hold();
  }
  all.row_begin.extend(places.back().row + 1);
  all.to.extend(places.back().edge);
  all.base.extend(places.back().edge);
  all.term_begin.extend(places.back().edge + 1);
  all.terms.extend(places.back().term);
  for_each_concurrently(num_parts, num_threads, [&](std::size_t p, int) {
    const Place& place = places[p];
    const EdgeRows& part = parts[p];
    std::copy(part.to.begin(), part.to.end(), all.to.begin() + place.edge);
    std::copy(part.terms.begin(), part.terms.end(), all.terms.begin() + place.term);
    const auto edges_before = static_cast<std::int64_t>(place.edge),
               terms_before = static_cast<std::int64_t>(place.term);
    std::transform(part.row_begin.begin() + 1, part.row_begin.end(), all.row_begin.begin() + place.row + 1,
                   [=](std::int64_t end) { return edges_before + end; });
    const std::size_t num_edges = part.to.size();
    for (std::size_t e = 0; all.base.is_held() && e < num_edges; ++e) all.base.set(place.edge + e, part.base[e]);
    for (std::size_t e = 1; all.term_begin.is_held() && e <= num_edges; ++e)
      all.term_begin.set(place.edge + e, terms_before + part.term_begin[e]);
  });
}

void move_rows(EdgeRows&& rows, StateGraphBuilder& builder) {
  builder.set_rows(std::move(rows.row_begin), std::move(rows.to), std::move(rows.base), std::move(rows.term_begin),
                   std::move(rows.terms));
}

}  // namespace sojourn
