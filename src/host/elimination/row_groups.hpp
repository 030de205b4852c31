#pragma once

#include "elimination/components.hpp"
#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// Writes the groups and terms of all rows, external ones first, from `rows`, `state_of_row` and `row_of_state` of
/// `arrays`. The internal terms of a row are the direct weights of its factor entries, each entry's by ascending rate.
/// Cost: O(edges log degree).
void write_row_groups(const StateGraph& graph, const Components& components, PrcArrays& arrays);

}  // namespace sojourn
