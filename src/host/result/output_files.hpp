#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "result/run_facts.hpp"

namespace sojourn {

/// What a folder may hold and still be replaced by --overwrite.
const std::vector<std::string>& names_of_output();
inline constexpr const char* kCheckpointFolder = "checkpoint";

/// Gives `to`, a folder being made, the checkpoints of the output folder `from`: the same files under a second name
/// where the file system can, else copies. Forced to the disk. @throws IoError.
void carry_checkpoints(const std::filesystem::path& from, const std::filesystem::path& to);

/// `write_output_folder` from facts instead of a posterior. Same promises, same errors.
void write_output_files(const std::string& folder, const RunFacts& facts, const OutputOptions& options);

}  // namespace sojourn
