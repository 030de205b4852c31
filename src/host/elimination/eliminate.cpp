#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "elimination/components.hpp"
#include "elimination/order.hpp"
#include "elimination/prc_arrays.hpp"
#include "elimination/symbolic_factor.hpp"
#include "expects.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

/// Turns the weight of an edge into positive multiples of extended rates. A form with a negative coefficient becomes an
/// extended rate of its own, shared by all edges that have it.
class RateForms {
 public:
  RateForms(const StateGraph& graph, PrcArrays& arrays) : graph_(graph), arrays_(arrays) {}

  void weights_of(std::int64_t edge, std::vector<PrcWeight>& weights) {
    weights.clear();
    if (graph_.base(edge) != 0) weights.push_back({0, graph_.base(edge)});
    for (const RateTerm& term : graph_.terms(edge)) {
      if (term.coefficient != 0) weights.push_back({1 + term.rate, term.coefficient});
    }
    const bool mixed =
        std::any_of(weights.begin(), weights.end(), [](const PrcWeight& w) { return w.coefficient < 0; });
    if (!mixed) return;
    key_.clear();
    for (const PrcWeight& w : weights) key_.emplace_back(w.rate, w.coefficient);
    const auto [found, added] = index_.try_emplace(key_, static_cast<std::int32_t>(arrays_.forms.size()));
    if (added) {
      const auto begin = static_cast<std::int64_t>(arrays_.form_terms.size());
      for (const PrcWeight& w : weights) arrays_.form_terms.push_back({w.rate, w.coefficient});
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

/// Lists the states of every component, components in their (reverse topological) order.
struct ComponentStates {
  std::vector<std::int32_t> begin, state;
};

ComponentStates list_states(const Components& components) {
  ComponentStates list;
  list.begin.assign(components.num_components + 1, 0);
  for (const std::int32_t c : components.component_of) {
    if (c >= 0) ++list.begin[c + 1];
  }
  std::partial_sum(list.begin.begin(), list.begin.end(), list.begin.begin());
  list.state.resize(list.begin.back());
  std::vector<std::int32_t> next(list.begin.begin(), list.begin.end() - 1);
  for (std::size_t s = 0; s < components.component_of.size(); ++s) {
    const std::int32_t c = components.component_of[s];
    if (c >= 0) list.state[next[c]++] = static_cast<std::int32_t>(s);
  }
  return list;
}

/// Puts the states of one component into elimination order, in place.
void order_component(const StateGraph& graph, const Components& components, std::span<std::int32_t> states,
                     std::vector<std::int32_t>& local_of) {
  const auto size = static_cast<std::int32_t>(states.size());
  if (size < 3) return;
  for (std::int32_t i = 0; i < size; ++i) local_of[states[i]] = i;
  const std::int32_t component = components.component_of[states[0]];
  std::vector<std::int32_t> row_begin{0}, column;
  for (const std::int32_t state : states) {
    for (std::int64_t e = graph.edge_begin(state); e < graph.edge_end(state); ++e) {
      const std::int32_t to = graph.edge_to(e);
      if (components.component_of[to] == component && to != state) column.push_back(local_of[to]);
    }
    row_begin.push_back(static_cast<std::int32_t>(column.size()));
  }
  const std::vector<std::int32_t> order = minimum_degree_order(size, row_begin, column);
  const std::vector<std::int32_t> unordered(states.begin(), states.end());
  for (std::int32_t i = 0; i < size; ++i) states[i] = unordered[order[i]];
}

/// Writes the groups of one row and collects the direct weights inside its component.
class RowWriter {
 public:
  RowWriter(const StateGraph& graph, const Components& components, PrcArrays& arrays)
      : graph_(graph), components_(components), arrays_(arrays), forms_(graph, arrays) {}

  void write(std::int32_t row_index, std::int32_t row_begin, std::vector<InternalWeight>* internal_weights) {
    const std::int32_t state = arrays_.state_of_row[row_index];
    parts_.clear();
    for (std::int64_t e = graph_.edge_begin(state); e < graph_.edge_end(state); ++e) {
      const std::int32_t to = graph_.edge_to(e);
      const std::int32_t column = arrays_.row_of_state[to];
      const bool internal = column >= 0 && components_.component_of[to] == components_.component_of[state];
      forms_.weights_of(e, weights_);
      for (const PrcWeight& weight : weights_) {
        parts_.push_back({internal ? 1 : 0, weight.rate, column, weight.coefficient});
        if (internal) internal_weights->push_back({column - row_begin, weight});
      }
    }
    std::sort(parts_.begin(), parts_.end(), [](const Part& x, const Part& y) {
      return std::tie(x.internal, x.rate, x.column) < std::tie(y.internal, y.rate, y.column);
    });
    PrcRow& row = arrays_.rows[row_index];
    row.group_begin = static_cast<std::int64_t>(arrays_.groups.size());
    row.group_middle = -1;
    for (const Part& part : parts_) add(part, row);
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
      arrays_.terms.push_back({part.coefficient, part.column});
      group.moving += part.coefficient;
      group.term_end = static_cast<std::int64_t>(arrays_.terms.size());
      if (part.internal == 0) ++arrays_.cost.solve_multiply_adds;
    }
  }

  const StateGraph& graph_;
  const Components& components_;
  PrcArrays& arrays_;
  RateForms forms_;
  std::vector<PrcWeight> weights_;
  std::vector<Part> parts_;
};

/// Lists the external edges again by target and rate, so that a transposed solve gathers instead of scattering.
void list_arrivals(PrcArrays& arrays) {
  struct Arrival {
    std::int32_t to, rate, from;
    double coefficient;
  };
  std::vector<Arrival> edges;
  for (std::size_t v = 0; v < arrays.rows.size(); ++v) {
    for (std::int64_t g = arrays.rows[v].group_begin; g < arrays.rows[v].group_middle; ++g) {
      for (std::int64_t t = arrays.groups[g].term_begin; t < arrays.groups[g].term_end; ++t) {
        edges.push_back(
            {arrays.terms[t].column, arrays.groups[g].rate, static_cast<std::int32_t>(v), arrays.terms[t].coefficient});
      }
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Arrival& x, const Arrival& y) {
    return std::tie(x.to, x.rate, x.from) < std::tie(y.to, y.rate, y.from);
  });
  std::size_t next = 0;
  for (std::size_t v = 0; v < arrays.rows.size(); ++v) {
    arrays.rows[v].arrival_begin = static_cast<std::int64_t>(arrays.arrivals.size());
    for (; next < edges.size() && std::cmp_equal(edges[next].to, v); ++next) {
      const Arrival& edge = edges[next];
      const bool fresh = std::cmp_equal(arrays.arrivals.size(), arrays.rows[v].arrival_begin) ||
                         arrays.arrivals.back().rate != edge.rate;
      const auto at = static_cast<std::int64_t>(arrays.arrival_terms.size());
      if (fresh) arrays.arrivals.push_back({edge.rate, 0, at, at, 0, 0, 0});
      arrays.arrival_terms.push_back({edge.coefficient, edge.from});
      arrays.arrivals.back().term_end = at + 1;
      arrays.arrivals.back().moving += edge.coefficient;
      arrays.arrivals.back().total += edge.coefficient;
    }
    arrays.rows[v].arrival_end = static_cast<std::int64_t>(arrays.arrivals.size());
  }
}

/// The successor row that most edges of the component lead to, the latest one on a tie.
void choose_reference(PrcComponent& component, const PrcArrays& arrays) {
  std::map<std::int32_t, std::int64_t> num_edges;
  for (std::int32_t r = component.row_begin; r < component.row_end; ++r) {
    for (std::int64_t g = arrays.rows[r].group_begin; g < arrays.rows[r].group_middle; ++g) {
      for (std::int64_t t = arrays.groups[g].term_begin; t < arrays.groups[g].term_end; ++t) {
        ++num_edges[arrays.terms[t].column];
      }
    }
  }
  std::int64_t most = 0;
  for (const auto& [column, count] : num_edges) {
    if (count < most) continue;
    most = count;
    component.reference = column;
  }
}

/// Gives every row a slot that is free again after the last component that reads it, and counts levels.
void assign_slots_and_levels(PrcArrays& arrays) {
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
               bytes_of(arrays.arrival_terms) + bytes_of(arrays.entry_column) + bytes_of(arrays.entry_weight_begin) +
               bytes_of(arrays.entry_weights) + bytes_of(arrays.entry_pair_begin) + bytes_of(arrays.pairs) +
               bytes_of(arrays.value_slot) + bytes_of(arrays.state_of_row) + bytes_of(arrays.row_of_state) +
               bytes_of(arrays.alpha);
}

}  // namespace

Prc eliminate(const StateGraph& graph, std::int64_t max_bytes) {
  auto arrays = std::make_shared<PrcArrays>();
  arrays->num_rates = graph.num_rates();
  const Components components = strongly_connected_components(graph);
  ComponentStates list = list_states(components);
  std::vector<std::int32_t> local_of(graph.num_states());
  arrays->row_of_state.assign(graph.num_states(), -1);
  for (std::int32_t c = 0; c < components.num_components; ++c) {
    const std::span<std::int32_t> states(list.state.data() + list.begin[c], list.state.data() + list.begin[c + 1]);
    order_component(graph, components, states, local_of);
    arrays->components.push_back({list.begin[c], list.begin[c + 1], 0, 0, -1});
  }
  arrays->state_of_row = std::move(list.state);
  arrays->rows.resize(arrays->state_of_row.size());
  for (std::size_t r = 0; r < arrays->state_of_row.size(); ++r) {
    arrays->row_of_state[arrays->state_of_row[r]] = static_cast<std::int32_t>(r);
  }
  arrays->alpha.assign(arrays->rows.size(), 0);
  for (const InitialMass& start : graph.initial()) {
    const std::int32_t row = arrays->row_of_state[start.state];
    if (row >= 0) arrays->alpha[row] += start.probability;
  }

  const auto max_pairs = static_cast<std::int64_t>(max_bytes / sizeof(PrcPair));
  arrays->entry_weight_begin.push_back(0);
  arrays->entry_pair_begin.push_back(0);
  RowWriter writer(graph, components, *arrays);
  std::vector<std::vector<InternalWeight>> internal_weights;
  for (PrcComponent& component : arrays->components) {
    const std::int32_t size = component.row_end - component.row_begin;
    internal_weights.assign(size, {});
    for (std::int32_t i = 0; i < size; ++i) {
      writer.write(component.row_begin + i, component.row_begin, &internal_weights[i]);
    }
    component.entry_begin = static_cast<std::int64_t>(arrays->entry_column.size());
    if (size > 1) {
      append_factor(component.row_begin, internal_weights, max_pairs, *arrays);
    } else {
      PrcRow& row = arrays->rows[component.row_begin];
      row.entry_begin = row.entry_middle = row.entry_end = component.entry_begin;
    }
    component.entry_end = static_cast<std::int64_t>(arrays->entry_column.size());
    choose_reference(component, *arrays);
  }
  list_arrivals(*arrays);
  assign_slots_and_levels(*arrays);
  finish_cost(*arrays);
  return Prc(std::move(arrays));
}

}  // namespace sojourn
