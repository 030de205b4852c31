#include "elimination/row_groups.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace sojourn {
namespace {

/// Turns the weight of an edge into positive multiples of extended rates. A form with a negative coefficient becomes an
/// extended rate of its own, shared by all edges that have it.
class RateForms {
 public:
  RateForms(const StateGraph& graph, PrcArrays& arrays) : graph_(graph), arrays_(arrays) {}

  void weights_of(std::int64_t edge, std::vector<PrcFormTerm>& weights) {
    weights.clear();
    if (graph_.base(edge) != 0) weights.push_back({0, graph_.base(edge)});
    for (const RateTerm& term : graph_.terms(edge)) {
      if (term.coefficient != 0) weights.push_back({1 + term.rate, term.coefficient});
    }
    const bool mixed =
        std::any_of(weights.begin(), weights.end(), [](const PrcFormTerm& w) { return w.coefficient < 0; });
    if (!mixed) return;
    key_.clear();
    for (const PrcFormTerm& w : weights) key_.emplace_back(w.rate, w.coefficient);
    const auto [found, added] = index_.try_emplace(key_, static_cast<std::int32_t>(arrays_.forms.size()));
    if (added) {
      const auto begin = static_cast<std::int64_t>(arrays_.form_terms.size());
      arrays_.form_terms.insert(arrays_.form_terms.end(), weights.begin(), weights.end());
      arrays_.forms.push_back({begin, static_cast<std::int64_t>(arrays_.form_terms.size())});
    }
    weights.assign(1, {1 + arrays_.num_rates + found->second, 1.0});
  }

 private:
  const StateGraph& graph_;
  PrcArrays& arrays_;
  std::map<std::vector<std::pair<std::int32_t, double>>, std::int32_t> index_;
  std::vector<std::pair<std::int32_t, double>> key_;
};

/// Writes the groups of one row.
class RowWriter {
 public:
  RowWriter(const StateGraph& graph, const Components& components, PrcArrays& arrays)
      : graph_(graph), components_(components), arrays_(arrays), forms_(graph, arrays) {}

  void write(std::int32_t row_index) {
    const std::int32_t state = arrays_.state_of_row[row_index];
    parts_.clear();
    for (std::int64_t e = graph_.edge_begin(state); e < graph_.edge_end(state); ++e) {
      const std::int32_t to = graph_.edge_to(e);
      const std::int32_t column = arrays_.row_of_state[to];
      const bool internal = column >= 0 && components_.component_of[to] == components_.component_of[state];
      forms_.weights_of(e, weights_);
      for (const PrcFormTerm& weight : weights_)
        parts_.push_back({internal ? 1 : 0, weight.rate, column, weight.coefficient});
    }
    std::sort(parts_.begin(), parts_.end(), [](const Part& x, const Part& y) {
      return std::tie(x.internal, x.rate, x.column) < std::tie(y.internal, y.rate, y.column);
    });
    PrcRow& row = arrays_.rows[row_index];
    row.group_begin = static_cast<std::int64_t>(arrays_.groups.size());
    row.group_middle = -1;
    for (const Part& part : parts_) add(part, row);
    for (auto g = static_cast<std::size_t>(row.group_begin); g < arrays_.groups.size(); ++g)
      arrays_.groups[g].inverse_total = 1 / arrays_.groups[g].total;
    row.group_end = static_cast<std::int64_t>(arrays_.groups.size());
    if (row.group_middle < 0) row.group_middle = row.group_end;
  }

 private:
  struct Part {
    std::int32_t internal, rate, column;
    double coefficient;
  };

  void add(const Part& part, PrcRow& row) {
    const auto num_groups = static_cast<std::int64_t>(arrays_.groups.size());
    const bool fresh = num_groups == row.group_begin || arrays_.groups.back().rate != part.rate ||
                       arrays_.groups.back().internal != part.internal;
    if (fresh) {
      if (part.internal == 1 && row.group_middle < 0) row.group_middle = num_groups;
      const auto begin = static_cast<std::int64_t>(arrays_.terms.size());
      arrays_.groups.push_back({part.rate, part.internal, begin, begin, 0, 0, 0});
    }
    PrcGroup& group = arrays_.groups.back();
    group.total += part.coefficient;
    if (part.column < 0) {
      group.absorbing += part.coefficient;
    } else {
      arrays_.terms.push_back({part.coefficient, part.column, -1});
      group.term_end = static_cast<std::int64_t>(arrays_.terms.size());
      if (part.internal == 0) ++arrays_.cost.solve_multiply_adds;
    }
  }

  const StateGraph& graph_;
  const Components& components_;
  PrcArrays& arrays_;
  RateForms forms_;
  std::vector<PrcFormTerm> weights_;
  std::vector<Part> parts_;
};

}  // namespace

void write_row_groups(const StateGraph& graph, const Components& components, PrcArrays& arrays) {
  RowWriter writer(graph, components, arrays);
  for (std::size_t r = 0; r < arrays.rows.size(); ++r) writer.write(static_cast<std::int32_t>(r));
}

}  // namespace sojourn
