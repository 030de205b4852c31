#pragma once

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// What laws read of a graph, for copies of it elsewhere.
struct LawParts {
  /// Calls `visit(array)` for every array of a graph that a law reads and `value(number)` for every number beside them.
  /// What no law reads stays behind: the states' variables and the rewards by name. A member that is added to the graph
  /// and not named here stops this from compiling.
  template <class Graph, class Visit, class Value>
  static void visit(Graph& graph, Visit&& visit, Value&& value) {
    auto& [time_kind, num_rates, edge_begin, edge_to, base, term_begin, terms, initial, defect, rewards, unit_reward,
           variable_names, variables, largest_base, largest_coefficient_sum] = graph;
    value(time_kind);
    value(num_rates);
    value(defect);
    value(largest_base);
    value(largest_coefficient_sum);
    visit(edge_begin);
    visit(edge_to);
    EdgeBases::visit_parts(base, visit, value);
    TermBegins::visit_parts(term_begin, visit, value);
    visit(terms);
    visit(initial);
    visit(unit_reward);
  }
};

}  // namespace sojourn
