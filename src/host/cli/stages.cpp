#include "cli/stages.hpp"

#include <algorithm>

#include "expects.hpp"

namespace sojourn::cli {
namespace {

/// A model that stands in the run file is the same where its place is.
bool is_same(const ProblemSource& a, const ProblemSource& b) {
  const auto place = [](const ProblemSource& source) {
    return source.inline_model ? source.inline_model->where() : "";
  };
  return a.model_path == b.model_path && place(a) == place(b) && a.data_path == b.data_path && a.reward == b.reward;
}

}  // namespace

std::vector<Stage> stages_of(const RunFile& run) {
  std::vector<Stage> stages;
  for (const StageEntry& entry : run.stages) {
    Stage stage{run.sampler, entry.tolerance.value_or(run.tolerance),
                entry.data_compression.value_or(run.data_compression), entry.problem.value_or(run.problem)};
    stage.is_reduced = entry.problem.has_value();
    stage.sampler.num_particles = entry.particles.value_or(run.sampler.num_particles);
    stage.sampler.num_iterations = entry.iterations.value_or(run.sampler.num_iterations);
    stage.sampler.learning_rate = entry.learning_rate.value_or(run.sampler.learning_rate);
    if (!stages.empty()) stage.problem = stages.back().problem + (is_same(stage.source, stages.back().source) ? 0 : 1);
    stages.push_back(std::move(stage));
  }
  if (stages.empty()) stages.push_back({run.sampler, run.tolerance, run.data_compression, run.problem});
  const auto num_given = static_cast<std::int64_t>(run.sampler.given.num_rows());
  SOJOURN_EXPECTS(num_given == 0 || num_given == stages.front().sampler.num_particles, ModelError,
                  "{}: {} starting particles, but the first stage has {}; make them agree, or leave that out",
                  run.initial_path, num_given, stages.front().sampler.num_particles);
  return stages;
}

RunPlan sum_of_plans(const std::vector<RunPlan>& plans) {
  RunPlan sum = plans.back();
  for (std::size_t k = 0; k + 1 < plans.size(); ++k) {
    sum.seconds_start += plans[k].seconds_start;
    sum.seconds_scores += plans[k].seconds_scores;
    sum.seconds_kernel += plans[k].seconds_kernel;
    sum.seconds_total += plans[k].seconds_total;
    if (plans[k].bytes <= sum.bytes) continue;
    sum.bytes = plans[k].bytes;
    sum.memory = plans[k].memory;
    sum.process = plans[k].process;
  }
  return sum;
}

}  // namespace sojourn::cli
