#pragma once

#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// Adds what follows from the groups, terms and components of `arrays`: arrivals, references, value slots and costs.
/// @return the level of each component. Cost: O(edges).
std::vector<std::int32_t> finish_arrays(PrcArrays& arrays);

}  // namespace sojourn
