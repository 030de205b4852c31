#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sojourn {

/// Which of its outputs a program is asked for; the other one is lost.
enum class Captured : std::uint8_t { kOutput, kOutputAndErrors };

/// What a program that is found in PATH writes, started without a shell and without standard input. Nothing where it is
/// not there, ends with another status than 0, writes more than a megabyte, or is not done within the deadline, after
/// which it is killed.
/// @param fault  what went wrong, in a few words: "is not there", "ended with status 1", ...
std::optional<std::string> command_output(const std::vector<std::string>& command,
                                          std::chrono::duration<double> deadline, std::string& fault,
                                          Captured captured = Captured::kOutput);

}  // namespace sojourn
