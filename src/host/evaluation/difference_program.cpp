#include "evaluation/difference_program.hpp"

#include <algorithm>

namespace sojourn {

DifferenceProgram::DifferenceProgram(const PrcArrays& prc)
    : row_begin_(prc.rows.size() + 1, 0), term_(prc.terms.size(), 0) {
  for (const PrcComponent& component : prc.components) {
    most_rows_ = std::max(most_rows_, static_cast<std::size_t>(component.row_end - component.row_begin));
    add_component(prc, component);
  }
}

void DifferenceProgram::add_component(const PrcArrays& prc, const PrcComponent& component) {
  const std::int32_t begin = component.row_begin, num_rows = component.row_end - begin;
  const auto first_pair = static_cast<std::int64_t>(column_.size());
  if (num_rows == 1) {
    row_begin_[begin + 1] = first_pair;
    return;
  }
  // Later neighbours in the symmetric pattern of the entries, which then is closed under elimination: those of a row,
  // but for the first of them, are later neighbours of that first one.
  std::vector<std::vector<std::int32_t>> later(num_rows);
  for (std::int32_t v = begin; v < component.row_end; ++v) {
    const PrcRow& row = prc.rows[v];
    for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) later[prc.entry_column[e] - begin].push_back(v);
    for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) later[v - begin].push_back(prc.entry_column[e]);
  }
  for (std::int32_t v = begin; v < component.row_end; ++v) {
    std::vector<std::int32_t>& own = later[v - begin];
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    if (!own.empty()) {
      std::vector<std::int32_t>& parents = later[own.front() - begin];
      parents.insert(parents.end(), own.begin() + 1, own.end());
    }
    column_.insert(column_.end(), own.begin(), own.end());
    row_begin_[v + 1] = static_cast<std::int64_t>(column_.size());
  }
  onward_.resize(column_.size(), -1);
  for (std::int32_t v = begin; v < component.row_end; ++v) {
    std::int64_t at = row_begin_[v] < row_begin_[v + 1] ? row_begin_[column_[row_begin_[v]]] : 0;
    for (std::int64_t pair = row_begin_[v] + 1; pair < row_begin_[v + 1]; ++pair) {
      while (column_[at] != column_[pair]) ++at;
      onward_[pair] = static_cast<std::int32_t>(at - first_pair);
    }
  }
  for (std::int32_t v = begin; v < component.row_end; ++v) {
    for (std::int64_t g = prc.rows[v].group_middle; g < prc.rows[v].group_end; ++g) {
      for (std::int64_t t = prc.groups[g].term_begin; t < prc.groups[g].term_end; ++t) {
        const std::int32_t to = prc.terms[t].column, low = std::min(v, to), high = std::max(v, to);
        const auto place =
            std::lower_bound(column_.begin() + row_begin_[low], column_.begin() + row_begin_[low + 1], high);
        const auto slot = static_cast<std::int32_t>(place - column_.begin() - first_pair);
        term_[t] = v < to ? slot : -1 - slot;
      }
    }
  }
  most_pairs_ = std::max(most_pairs_, column_.size() - static_cast<std::size_t>(first_pair));
}

std::int32_t elimination_depth(const PrcArrays& prc) {
  std::vector<std::int32_t> depth(prc.rows.size(), 1);
  std::int32_t deepest = 1;
  for (const PrcComponent& component : prc.components) {
    for (std::int32_t v = component.row_end - 2; v >= component.row_begin; --v) {
      depth[v] = 1 + depth[prc.entry_column[prc.rows[v].entry_middle]];
      deepest = std::max(deepest, depth[v]);
    }
  }
  return deepest;
}

}  // namespace sojourn
