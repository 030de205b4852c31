#pragma once

#include <cstdint>
#include <string>

#include "comm/rank_mesh.hpp"

namespace sojourn::cli {

/// Who evaluates what: a table with a row for each share of the particles, a column for each share of the data, and the
/// rank that has both in its cell. Particles and parts of the data count from 1. At most 8 rows and columns; what is
/// left out stands as "...".
std::string mesh_picture(const RankMesh& mesh, std::int64_t num_particles, std::int64_t num_parts);

}  // namespace sojourn::cli
