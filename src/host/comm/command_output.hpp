#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sojourn {

/// Standard output of a program that is found in PATH, started without a shell and without standard input; what it
/// writes to standard error is lost. Nothing where it is not there, ends with another status than 0, writes more than
/// a megabyte, or is not done within the deadline, after which it is killed.
/// @param fault  what went wrong, in a few words: "is not there", "ended with status 1", ...
std::optional<std::string> command_output(const std::vector<std::string>& command,
                                          std::chrono::duration<double> deadline, std::string& fault);

}  // namespace sojourn
