#pragma once

#include <string>

#include "cli/run_file.hpp"
#include "cli/verb.hpp"
#include "sojourn/result.hpp"

namespace sojourn::cli {

/// The text as one word of a POSIX shell: as it is where that is safe, else in single quotes.
std::string shell_word(const std::string& text);

/// What `failure.json` says of a particle that ended the run in a stage of `problem`, digests and command left empty.
/// The command that evaluates it again is `sojourn evaluate` with its theta and the problem's data and reward; there is
/// none where theta itself is not finite.
RunFailure failed_run(const ParticleError& error, const Posterior& posterior, const ProblemSource& problem,
                      std::uint64_t seed, const CommonOptions& options);

}  // namespace sojourn::cli
