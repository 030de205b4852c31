#pragma once

#include <vector>

#include "cli/run_file.hpp"
#include "cli/run_plan.hpp"

namespace sojourn::cli {

/// One stage of a run with everything that it has, its own or the run's. All begin as the run does; those after the
/// first are given their particles by the one before.
struct Stage {
  SvgdOptions sampler;
  double tolerance;
  DataCompression compression;
  ProblemSource source;
  /// Stages in a row that name the same model, data and reward have one problem; numbered from 0.
  std::size_t problem = 0;
  /// Whether it names a model, data or reward of its own.
  bool is_reduced = false;
};

/// At least one; the last is the run whose results count. @throws ModelError where the first stage is asked for other
/// than the starting particles that are given.
std::vector<Stage> stages_of(const RunFile& run);

/// Sums of what the stages cost, and the largest of them in memory.
RunPlan sum_of_plans(const std::vector<RunPlan>& plans);

}  // namespace sojourn::cli
