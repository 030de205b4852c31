#include "cli/stage_problems.hpp"

#include <algorithm>

#include "cli/infer_output.hpp"
#include "cli/json_writer.hpp"
#include "cli/theta.hpp"
#include "expects.hpp"
#include "graph/load_model.hpp"
#include "model/suggest.hpp"
#include "posterior/posterior_parts.hpp"

namespace sojourn::cli {
namespace {

void load_data(const ProblemSource& source, StageProblem& problem) {
  problem.observations = load_observations(source.data_path, problem.model.graph.time_kind());
  problem.reward = observed_reward(source, problem.model);
  problem.data_digest = data_digest(problem.observations);
}

/// The parameters of `model` in the order of `names`, which are its own in another one: a map of rates stands between
/// them and the graph, which stays as it is.
void reorder_parameters(Model& model, const std::vector<std::string>& names) {
  const std::vector<std::string> own = parameter_names(model);
  if (own == names) return;
  model.rates = model.rates.is_identity() ? RateMap::derived(names, own, own)
                                          : RateMap::derived(names, model.rates.names(), model.rates.expressions());
  std::ranges::sort(model.parameters, {}, [&](const Parameter& parameter) {
    return std::ranges::find(names, parameter.name) - names.begin();
  });
}

void match_parameters(const ProblemSource& source, const RunFile& run, const Model& full, Model& model) {
  std::vector<std::string> own = parameter_names(model), names = parameter_names(full);
  SOJOURN_EXPECTS(std::ranges::is_permutation(own, names), UsageError,
                  "{}: model {} has the parameter{} {}, but the run's model {} has {}; particles pass on by name, so "
                  "give both the same parameters",
                  source.where, model.name, own.size() == 1 ? "" : "s", list_names(own), full.name, list_names(names));
  reorder_parameters(model, names);
  std::vector<std::string> warnings;
  const std::vector<Posterior::Free> free = resolve_parameters(full, run.prior_map(), run.fixed_map(), warnings).free;
  const std::vector<Posterior::Free> here = resolve_parameters(model, run.prior_map(), run.fixed_map(), warnings).free;
  for (std::size_t p = 0; p < free.size(); ++p)
    SOJOURN_EXPECTS(here[p].lower == free[p].lower && here[p].upper == free[p].upper, UsageError,
                    "{}: {} lies in ({}, {}) by model {}, but in ({}, {}) by the run's model {}; particles pass on "
                    "where every parameter has one range, so declare the same in both",
                    source.where, free[p].name, format_number(here[p].lower), format_number(here[p].upper), model.name,
                    format_number(free[p].lower), format_number(free[p].upper), full.name);
}

}  // namespace

std::vector<StageProblem> load_problems(const RunFile& run, const std::vector<Stage>& stages,
                                        const ModelLimits& limits) {
  std::vector<StageProblem> problems;
  std::vector<const ProblemSource*> sources;
  for (const Stage& stage : stages) {
    if (stage.problem < problems.size()) continue;
    sources.push_back(&stage.source);
    problems.emplace_back().model = load_run_model(stage.source, limits);
    problems.back().model_digest = digest(problems.back().model);
  }
  const Model& full = problems.back().model;
  check_parameter_names(run, full);
  for (std::size_t k = 0; k < problems.size(); ++k) {
    if (k + 1 < problems.size()) match_parameters(*sources[k], run, full, problems[k].model);
    load_data(*sources[k], problems[k]);
  }
  return problems;
}

}  // namespace sojourn::cli
