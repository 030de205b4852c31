#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace sojourn::cli {

/// Checks the arguments behind a verb before they are parsed, for messages that say how to go on: unknown flags (with
/// the nearest one there is), options without a value, options given twice that take one value, too many files.
/// @throws UsageError.
void check_arguments(const CLI::App& verb, const std::vector<std::string>& arguments);

}  // namespace sojourn::cli
