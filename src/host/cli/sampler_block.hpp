#pragma once

#include "cli/run_file.hpp"

namespace sojourn::cli {

/// Largest particle count that is taken for meant: memory and the n^2 kernel sums rule out more.
inline constexpr std::int64_t kMaxParticles = 10'000'000;
inline constexpr std::int64_t kMaxIterations = 1'000'000'000;

/// Reads the `sampler` mapping of a run file into `run`. Values out of range are usage errors, as on the command line.
void read_sampler(const Document::Value& block, RunFile& run);

/// The seed of a run file. @throws UsageError unless it is a whole number in [0, 2^64 - 1].
std::uint64_t read_seed(const Document::Value& value);

}  // namespace sojourn::cli
