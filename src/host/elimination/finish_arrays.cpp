#include "elimination/finish_arrays.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace sojourn {
namespace {

/// Calls visit(row, group, term) for every edge that leaves its component, by row and rate.
template <class Visit>
void for_each_external_term(const PrcArrays& arrays, std::int32_t row_begin, std::int32_t row_end, Visit&& visit) {
  for (std::int32_t r = row_begin; r < row_end; ++r) {
    for (std::int64_t g = arrays.rows[r].group_begin; g < arrays.rows[r].group_middle; ++g) {
      for (std::int64_t t = arrays.groups[g].term_begin; t < arrays.groups[g].term_end; ++t)
        visit(r, arrays.groups[g], arrays.terms[t]);
    }
  }
}

/// Lists the external edges again by target and rate, so that a transposed solve gathers instead of scattering.
void list_arrivals(PrcArrays& arrays) {
  struct Arrival {
    std::int32_t rate, from;
    double coefficient;
  };
  const auto num_rows = static_cast<std::int32_t>(arrays.rows.size());
  std::vector<std::int64_t> begin(num_rows + 1, 0);
  for_each_external_term(arrays, 0, num_rows,
                         [&](std::int32_t, const PrcGroup&, const PrcTerm& term) { ++begin[term.column + 1]; });
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<Arrival> edges(begin.back());
  std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
  for_each_external_term(arrays, 0, num_rows, [&](std::int32_t from, const PrcGroup& group, const PrcTerm& term) {
    edges[next[term.column]++] = {group.rate, from, term.coefficient};
  });
  arrays.arrival_terms.reserve(edges.size());
  for (std::int32_t v = 0; v < num_rows; ++v) {
    std::sort(edges.begin() + begin[v], edges.begin() + begin[v + 1],
              [](const Arrival& x, const Arrival& y) { return std::tie(x.rate, x.from) < std::tie(y.rate, y.from); });
    arrays.rows[v].arrival_begin = static_cast<std::int64_t>(arrays.arrivals.size());
    for (std::int64_t e = begin[v]; e < begin[v + 1]; ++e) {
      const Arrival& edge = edges[e];
      const bool fresh = std::cmp_equal(arrays.arrivals.size(), arrays.rows[v].arrival_begin) ||
                         arrays.arrivals.back().rate != edge.rate;
      const auto at = static_cast<std::int64_t>(arrays.arrival_terms.size());
      if (fresh) arrays.arrivals.push_back({edge.rate, 0, at, at, 0, 0, 0});
      arrays.arrival_terms.push_back({edge.coefficient, edge.from, -1});
      arrays.arrivals.back().term_end = at + 1;
      arrays.arrivals.back().total += edge.coefficient;
    }
    arrays.rows[v].arrival_end = static_cast<std::int64_t>(arrays.arrivals.size());
  }
}

/// The successor row that most edges of the component lead to, the latest one on a tie.
void choose_reference(PrcComponent& component, const PrcArrays& arrays, std::vector<std::int32_t>& columns) {
  columns.clear();
  for_each_external_term(arrays, component.row_begin, component.row_end,
                         [&](std::int32_t, const PrcGroup&, const PrcTerm& term) { columns.push_back(term.column); });
  std::sort(columns.begin(), columns.end());
  std::ptrdiff_t most = 0;
  for (auto first = columns.begin(); first != columns.end();) {
    const auto last = std::upper_bound(first, columns.end(), *first);
    if (last - first >= most) {
      most = last - first;
      component.reference = *first;
    }
    first = last;
  }
}

/// Gives every row a slot that is free again after the last component that reads it, and counts levels.
std::vector<std::int32_t> assign_slots_and_levels(PrcArrays& arrays) {
  const std::size_t num_rows = arrays.rows.size();
  std::vector<std::int32_t> component_of_row(num_rows), last_use(num_rows);
  for (std::size_t c = 0; c < arrays.components.size(); ++c) {
    for (std::int32_t r = arrays.components[c].row_begin; r < arrays.components[c].row_end; ++r) {
      component_of_row[r] = last_use[r] = static_cast<std::int32_t>(c);
    }
  }
  std::vector<std::int32_t> level(arrays.components.size(), 1);
  for (std::size_t r = 0; r < num_rows; ++r) {
    const std::int32_t c = component_of_row[r];
    const PrcRow& row = arrays.rows[r];
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
      for (std::int64_t t = arrays.groups[g].term_begin; t < arrays.groups[g].term_end; ++t) {
        const std::int32_t column = arrays.terms[t].column;
        last_use[column] = std::max(last_use[column], c);
        level[c] = std::max(level[c], level[component_of_row[column]] + 1);
      }
    }
  }
  for (const std::int32_t l : level) arrays.cost.num_levels = std::max<std::int64_t>(arrays.cost.num_levels, l);

  std::vector<std::int32_t> dies_begin(arrays.components.size() + 1, 0);
  for (const std::int32_t c : last_use) ++dies_begin[c + 1];
  std::partial_sum(dies_begin.begin(), dies_begin.end(), dies_begin.begin());
  std::vector<std::int32_t> dying(num_rows), next(dies_begin.begin(), dies_begin.end() - 1);
  for (std::size_t r = 0; r < num_rows; ++r) dying[next[last_use[r]]++] = static_cast<std::int32_t>(r);

  arrays.value_slot.resize(num_rows);
  std::vector<std::int32_t> free_slots;
  for (std::size_t c = 0; c < arrays.components.size(); ++c) {
    for (std::int32_t r = arrays.components[c].row_begin; r < arrays.components[c].row_end; ++r) {
      if (free_slots.empty()) free_slots.push_back(arrays.num_value_slots++);
      arrays.value_slot[r] = free_slots.back();
      free_slots.pop_back();
    }
    for (std::int32_t d = dies_begin[c]; d < dies_begin[c + 1]; ++d) free_slots.push_back(arrays.value_slot[dying[d]]);
  }
  for (PrcTerm& term : arrays.terms) term.slot = arrays.value_slot[term.column];
  for (PrcTerm& term : arrays.arrival_terms) term.slot = arrays.value_slot[term.column];
  arrays.entry_slot.resize(arrays.entry_column.size());
  for (std::size_t e = 0; e < arrays.entry_slot.size(); ++e)
    arrays.entry_slot[e] = arrays.value_slot[arrays.entry_column[e]];
  return level;
}

template <class T>
std::int64_t bytes_of(const std::vector<T>& values) {
  return static_cast<std::int64_t>(values.size() * sizeof(T));
}

void finish_cost(PrcArrays& arrays) {
  PrcCost& cost = arrays.cost;
  cost.num_transient = static_cast<std::int64_t>(arrays.rows.size());
  cost.num_components = static_cast<std::int64_t>(arrays.components.size());
  std::int64_t largest_factor = 0;
  for (const PrcComponent& c : arrays.components) {
    cost.largest_component = std::max<std::int64_t>(cost.largest_component, c.row_end - c.row_begin);
    largest_factor = std::max(largest_factor, c.entry_end - c.entry_begin + 2 * (c.row_end - c.row_begin));
  }
  cost.acyclic = cost.largest_component <= 1;
  cost.num_slots =
      arrays.num_value_slots + largest_factor + 1 + arrays.num_rates + static_cast<std::int64_t>(arrays.forms.size());
  cost.bytes = bytes_of(arrays.forms) + bytes_of(arrays.form_terms) + bytes_of(arrays.components) +
               bytes_of(arrays.rows) + bytes_of(arrays.groups) + bytes_of(arrays.terms) + bytes_of(arrays.arrivals) +
               bytes_of(arrays.arrival_terms) + bytes_of(arrays.entry_column) + bytes_of(arrays.entry_slot) +
               bytes_of(arrays.sums) + bytes_of(arrays.pairs) + bytes_of(arrays.fronts) + bytes_of(arrays.front_slots) +
               bytes_of(arrays.value_slot) + bytes_of(arrays.state_of_row) + bytes_of(arrays.row_of_state) +
               bytes_of(arrays.alpha);
}

}  // namespace

std::vector<std::int32_t> finish_arrays(PrcArrays& arrays) {
  list_arrivals(arrays);
  std::vector<std::int32_t> columns;
  for (PrcComponent& component : arrays.components) choose_reference(component, arrays, columns);
  std::vector<std::int32_t> level = assign_slots_and_levels(arrays);
  finish_cost(arrays);
  return level;
}

}  // namespace sojourn
