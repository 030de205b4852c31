#pragma once

#include <string>

#include "sojourn/result.hpp"

namespace sojourn::cli {

/// The posterior in a compact table, the diagnostics with what to do where they are not PASS, and where the files lie.
std::string result_text(const InferenceResult& result, const std::string& folder);

/// Hex digest of the observations as merged, independent of the file's layout and row order of equal rows.
std::string data_digest(const Observations& observations);

}  // namespace sojourn::cli
