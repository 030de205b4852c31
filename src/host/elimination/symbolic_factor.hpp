#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// A direct edge inside a component: local columns in elimination order, with its positive weight terms.
struct InternalWeight {
  std::int32_t column;
  PrcWeight weight;
};

/// Appends the factor program of one component to `arrays`: entries, their direct weights and their multiply-adds.
///
/// @param row_begin  first row index of the component; `weights[i]` holds the direct internal weights of row i in local
///                   columns, [m] lists.
/// @param max_pairs  multiply-adds allowed in `arrays` in all.
/// @throws ModelError when the fill exceeds `max_pairs`.
/// Cost: O(multiply-adds), which it also writes to `arrays.cost`.
void append_factor(std::int32_t row_begin, const std::vector<std::vector<InternalWeight>>& weights,
                   std::int64_t max_pairs, PrcArrays& arrays);

}  // namespace sojourn
