#pragma once

#include <nlohmann/json.hpp>

#include "sojourn/result.hpp"

namespace sojourn {

/// Content of failure.json, schema `sojourn/failure/1`: message, reason, particle, iteration, seed; theta by name and
/// the unconstrained position, each also before the last step (null in the start); model and data digests; command and
/// replay (null where there is none). Numbers that are not finite are null, with their text in `not_finite`.
nlohmann::ordered_json failure_json(const RunFailure& failure);

}  // namespace sojourn
