#pragma once

#include <string>

#include "result/run_facts.hpp"

namespace sojourn {

/// `write_output_folder` from facts instead of a posterior. Same promises, same errors.
void write_output_files(const std::string& folder, const RunFacts& facts, const OutputOptions& options);

}  // namespace sojourn
