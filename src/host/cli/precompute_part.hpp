#pragma once

#include <string>

#include "sojourn/elimination.hpp"

namespace sojourn::cli {

/// The share of one process in a `precompute` that several work at.
struct ChosenPart {
  PrecomputePart part;
  std::string source;  ///< "--part" or the variables that decided; empty for all of it
};

/// `I/N` from 1, else the environment: a task of a SLURM array (SLURM_ARRAY_TASK_ID, _MIN, _STEP, _COUNT) times a rank
/// of Open MPI, MPICH, Intel MPI or srun. SLURM_NTASKS alone does not count: a batch script has it too, and runs once.
/// @throws UsageError for a bad `option`, CommError for variables that cannot be.
ChosenPart choose_part(const std::string& option);

}  // namespace sojourn::cli
