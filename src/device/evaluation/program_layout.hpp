#pragma once

#include "device/support/array_layout.hpp"
#include "elimination/level_schedule.hpp"
#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// What of a program lies in a device's memory.
inline void place_program(ArrayLayout& layout, const PrcArrays& arrays, PrcView& view) {
  layout.place(view.forms, arrays.forms);
  layout.place(view.form_terms, arrays.form_terms);
  layout.place(view.components, arrays.components);
  layout.place(view.rows, arrays.rows);
  layout.place(view.groups, arrays.groups);
  layout.place(view.terms, arrays.terms);
  layout.place(view.arrivals, arrays.arrivals);
  layout.place(view.arrival_terms, arrays.arrival_terms);
  layout.place(view.entry_column, arrays.entry_column);
  layout.place(view.entry_slot, arrays.entry_slot);
  layout.place(view.sums, arrays.sums);
  layout.place(view.pairs, arrays.pairs);
  layout.place(view.fronts, arrays.fronts);
  layout.place(view.front_slots, arrays.front_slots);
  layout.place(view.value_slot, arrays.value_slot);
  layout.place(view.alpha, arrays.alpha);
}

/// What of a level schedule does beside it. `slotted` has the schedule's value slots.
inline void place_levels(ArrayLayout& layout, const PrcArrays& slotted, const LevelSchedule& schedule, PrcView& program,
                         LevelView& levels) {
  layout.place(program.terms, slotted.terms);
  layout.place(program.arrival_terms, slotted.arrival_terms);
  layout.place(program.entry_slot, slotted.entry_slot);
  layout.place(program.value_slot, slotted.value_slot);
  schedule.each_array(levels, [&](auto& pointer, const auto& array) { layout.place(pointer, array); });
}

}  // namespace sojourn
