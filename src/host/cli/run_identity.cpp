#include "cli/run_identity.hpp"

#include <fmt/format.h>

#include "cli/option_names.hpp"
#include "evaluation/instruction_set.hpp"
#include "graph/content_hash.hpp"
#include "result/build_facts.hpp"
#include "sampler/svgd_fields.hpp"

namespace sojourn::cli {
namespace {

// Options as a run file has them.
std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return std::to_string(value); }
std::string text_of(int value) { return std::to_string(value); }
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(double value) { return fmt::format("{:.17g}", value); }
std::string text_of(Kernel value) { return name_of(value, kKernelNames); }
std::string text_of(BandwidthRule value) { return name_of(value, kBandwidthRuleNames); }
std::string text_of(Optimizer value) { return name_of(value, kOptimizerNames); }
std::string text_of(ScheduleKind value) { return name_of(value, kScheduleNames); }
std::string text_of(DirectionPrecision value) { return name_of(value, kDirectionPrecisionNames); }
std::string text_of(StartKind value) { return name_of(value, kStartNames); }
std::string text_of(const Matrix<double>& matrix) {
  if (matrix.empty()) return "none";
  ContentHash hash;
  hash.add(static_cast<std::int64_t>(matrix.num_rows()));
  for (const double value : matrix.values()) hash.add(value);
  return fmt::format("{:016x}", hash.digest().low64);
}

std::string name_of_reward(const ProblemSource& problem) { return problem.reward.empty() ? "time" : problem.reward; }

}  // namespace

std::vector<RunField> run_identity(const RunFile& run, const std::vector<Stage>& stages,
                                   const std::vector<ProblemDigests>& problems) {
  std::vector<RunField> fields{{"model", problems.back().model},
                               {"data", problems.back().data},
                               {"rewards", name_of_reward(run.problem)},
                               {"data_compression", to_string(stages.back().compression)},
                               {"tolerance", text_of(stages.back().tolerance)},
                               {"method", "svgd"}};
  for (const auto& [name, prior] : run.prior_map()) fields.push_back({"prior of " + name, prior.describe()});
  for (const auto& [name, value] : run.fixed_map()) fields.push_back({"fixed " + name, text_of(value)});
  visit_options(stages.back().sampler, [&](const char* name, const auto& value, OptionRole role) {
    if (role == OptionRole::kDecides) fields.push_back({name, text_of(value)});
  });
  // Of an earlier stage what it has of its own, or must have done before the next one begins.
  for (std::size_t k = 0; k + 1 < stages.size(); ++k) {
    const std::string prefix = fmt::format("stage {} ", k + 1);
    fields.push_back({prefix + "particles", text_of(stages[k].sampler.num_particles)});
    fields.push_back({prefix + "iterations", text_of(stages[k].sampler.num_iterations)});
    fields.push_back({prefix + "learning_rate", text_of(stages[k].sampler.learning_rate)});
    fields.push_back({prefix + "tolerance", text_of(stages[k].tolerance)});
    fields.push_back({prefix + "data_compression", to_string(stages[k].compression)});
    if (!stages[k].is_reduced) continue;
    fields.push_back({prefix + "model", problems[stages[k].problem].model});
    fields.push_back({prefix + "data", problems[stages[k].problem].data});
    fields.push_back({prefix + "rewards", name_of_reward(stages[k].source)});
  }
  return fields;
}

std::vector<RunField> run_origin() {
  return {{"version", build_facts().version}, {"instruction set", to_string(instruction_set())}};
}

std::string digest_of(const std::vector<RunField>& fields) {
  ContentHash hash;
  for (const auto& [name, value] : fields) {
    hash.add(name);
    hash.add(value);
  }
  return fmt::format("{:016x}", hash.digest().low64);
}

}  // namespace sojourn::cli
