#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sojourn {

/// Minimum-degree elimination order of a sparse square pattern (edges from -> to, no self loops needed), by AMD
/// (Amestoy, Davis, Duff 1996) on the symmetrised pattern. Returns position -> vertex. Cost: near linear in practice.
std::vector<std::int32_t> minimum_degree_order(std::int32_t num_vertices, std::span<const std::int32_t> row_begin,
                                               std::span<const std::int32_t> column);

}  // namespace sojourn
