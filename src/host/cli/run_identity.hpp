#pragma once

#include <string>
#include <vector>

#include "cli/run_file.hpp"
#include "cli/stages.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn::cli {

/// Of what the stages of one problem infer from.
struct ProblemDigests {
  std::string model, data;
};

/// Everything that decides the particles of a run after so many iterations, by name: model, data, observed reward,
/// priors, fixed values, compression, and every option of the sampler but how long it runs and on what; of all stages
/// but the last also how long they run, and what they infer from where that is not the run's. `problems`: one entry for
/// each of `Stage::problem`.
std::vector<RunField> run_identity(const RunFile& run, const std::vector<Stage>& stages,
                                   const std::vector<ProblemDigests>& problems);

/// What of this program and machine decides the last digits: version and instruction set.
std::vector<RunField> run_origin();

/// Hex digest of all of `fields`, names and values.
std::string digest_of(const std::vector<RunField>& fields);

}  // namespace sojourn::cli
