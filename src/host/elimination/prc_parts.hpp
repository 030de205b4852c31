#pragma once

#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// Calls `visit(array)` for every array of a program and `value(number)` for every number beside them. A member that is
/// added and not named here stops this from compiling.
template <class Arrays, class Visit, class Value>
void visit_prc(Arrays& arrays, Visit&& visit, Value&& value) {
  auto& [cost, num_rates, forms, form_terms, components, rows, groups, terms, arrivals, arrival_terms, entry_column,
         entry_slot, sums, pairs, fronts, front_slots, value_slot, state_of_row, row_of_state, alpha, num_value_slots,
         num_front_multiply_adds] = arrays;
  value(cost);
  value(num_rates);
  value(num_value_slots);
  value(num_front_multiply_adds);
  visit(forms);
  visit(form_terms);
  visit(components);
  visit(rows);
  visit(groups);
  visit(terms);
  visit(arrivals);
  visit(arrival_terms);
  visit(entry_column);
  visit(entry_slot);
  visit(sums);
  visit(pairs);
  visit(fronts);
  visit(front_slots);
  visit(value_slot);
  visit(state_of_row);
  visit(row_of_state);
  visit(alpha);
}

}  // namespace sojourn
