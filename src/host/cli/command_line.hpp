#pragma once

namespace sojourn::cli {

/// The whole program: reads the arguments, runs the verb, prints errors as one line each on standard error.
/// @return the exit status of `ExitCode`. Throws nothing.
int run_command_line(int argc, const char* const* argv) noexcept;

}  // namespace sojourn::cli
