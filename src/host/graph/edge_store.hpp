#pragma once

#include <cstdint>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Edges in rows, in the order in which their source states were expanded.
struct EdgeRows {
  GrowingArray<std::int64_t> row_begin;  ///< edges before each row, and before the next one
  GrowingArray<std::int32_t> to;         ///< ascending in each row
  EdgeBases base;
  TermBegins term_begin;
  GrowingArray<RateTerm> terms;  ///< of an edge by ascending rate

  EdgeRows() { clear(); }
  [[nodiscard]] std::int64_t num_edges() const { return static_cast<std::int64_t>(to.size()); }
  [[nodiscard]] std::int64_t num_bytes() const {
    return static_cast<std::int64_t>(8 * row_begin.size() + base.num_bytes() + term_begin.num_bytes() + 4 * to.size() +
                                     sizeof(RateTerm) * terms.size());
  }
  void clear();
};

/// Puts a term among those of an edge, which begin at `begin` and are the last ones; terms of one rate add up.
void insert_term(GrowingArray<RateTerm>& terms, std::size_t begin, const RateTerm& term);

/// Appends the rows of several collectors one after another; the copies are made by several threads.
void append_rows(EdgeRows& all, const std::vector<EdgeRows>& parts, std::size_t num_parts, int num_threads);

/// Hands the rows of a whole graph to the builder as they are.
void move_rows(EdgeRows&& rows, StateGraphBuilder& builder);

}  // namespace sojourn
