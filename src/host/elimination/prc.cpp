#include "sojourn/prc.hpp"

#include <algorithm>

#include "elimination/prc_arrays.hpp"

namespace sojourn {

const PrcCost& Prc::cost() const { return arrays_->cost; }
std::int32_t Prc::num_rates() const { return arrays_->num_rates; }

PrcView PrcArrays::view() const {
  PrcView v{};
  v.num_rates = num_rates;
  v.num_forms = static_cast<std::int32_t>(forms.size());
  v.num_components = static_cast<std::int32_t>(components.size());
  v.num_rows = static_cast<std::int32_t>(rows.size());
  v.forms = forms.data();
  v.form_terms = form_terms.data();
  v.components = components.data();
  v.rows = rows.data();
  v.groups = groups.data();
  v.terms = terms.data();
  v.arrivals = arrivals.data();
  v.arrival_terms = arrival_terms.data();
  v.entry_column = entry_column.data();
  v.entry_slot = entry_slot.data();
  v.sums = sums.data();
  v.pairs = pairs.data();
  v.fronts = fronts.data();
  v.front_slots = front_slots.data();
  v.value_slot = value_slot.data();
  v.alpha = alpha.data();
  return v;
}

PrcComponentBounds PrcArrays::component_bounds() const {
  PrcComponentBounds bounds;
  for (const PrcComponent& component : components) {
    bounds.most_entries = std::max(bounds.most_entries, component.entry_end - component.entry_begin);
    bounds.most_rows = std::max(bounds.most_rows, component.row_end - component.row_begin);
    bounds.has_fronts |= component.front_begin != component.front_end;
  }
  return bounds;
}

std::vector<double> PrcArrays::by_row(std::span<const double> by_state) const {
  std::vector<double> values;
  values.reserve(state_of_row.size());
  for (const std::int32_t state : state_of_row) values.push_back(by_state[state]);
  return values;
}

}  // namespace sojourn
