#pragma once

#include <string>
#include <vector>

#include "cli/run_file.hpp"
#include "cli/stages.hpp"
#include "sojourn/model.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn::cli {

/// What the stages of one problem infer from, as it was read.
struct StageProblem {
  Model model;  ///< its parameters in the order of the run's model
  Observations observations;
  std::vector<double> reward;  ///< [num_states]
  std::string model_digest, data_digest;
};

/// Reads what the stages name, one entry for each of `Stage::problem`; the last is the run's own.
///
/// Particles pass from stage to stage on the unconstrained scale, by the names of parameters: all models have the
/// same ones, in any order, and each free parameter the same support. @throws UsageError where they have not, naming
/// the stage; IoError and ModelError as for the run's own.
std::vector<StageProblem> load_problems(const RunFile& run, const std::vector<Stage>& stages,
                                        const ModelLimits& limits);

}  // namespace sojourn::cli
