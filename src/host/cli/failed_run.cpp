#include "cli/failed_run.hpp"

#include <algorithm>
#include <cmath>

#include "cli/json_writer.hpp"
#include "cli/theta.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr char kSafe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";

/// Stands in the command for a model that has no file.
constexpr char kModelFile[] = "MODEL.yaml";

std::string replay_command(const ProblemSource& problem, const CommonOptions& options, std::span<const double> theta) {
  const bool has_file = !problem.inline_model && problem.model_path != "-";
  std::string text = "sojourn evaluate " + (has_file ? shell_word(problem.model_path) : kModelFile);
  std::string values;
  for (const double value : theta) values += (values.empty() ? "" : ",") + format_number(value);
  text += " --theta=" + values + " --loglik " + shell_word(problem.data_path) + " --gradient";
  if (!problem.reward.empty()) text += " --rewards " + shell_word(problem.reward);
  if (!options.max_states.empty()) text += " --max-states " + options.max_states;
  if (!options.max_model_bytes.empty()) text += " --max-model-bytes " + options.max_model_bytes;
  return text;
}

}  // namespace

std::string shell_word(const std::string& text) {
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string::npos) return text;
  std::string word = "'";
  for (const char letter : text) word += letter == '\'' ? "'\\''" : std::string(1, letter);
  return word + "'";
}

RunFailure failed_run(const ParticleError& error, const Posterior& posterior, const ProblemSource& problem,
                      std::uint64_t seed, const CommonOptions& options) {
  RunFailure failure;
  failure.message = error.what();
  failure.reason = error.reason;
  failure.particle = error.particle;
  failure.iteration = error.iteration;
  failure.seed = seed;
  failure.model_name = posterior.model().name;
  failure.parameters = parameter_names(posterior.model());
  failure.position = error.position;
  failure.previous_position = error.previous;
  failure.theta.resize(failure.parameters.size());
  posterior.to_theta(error.position, failure.theta);
  if (!error.previous.empty()) {
    failure.previous_theta.resize(failure.parameters.size());
    posterior.to_theta(error.previous, failure.previous_theta);
  }
  if (std::any_of(failure.theta.begin(), failure.theta.end(), [](double x) { return !std::isfinite(x); })) {
    failure.note = "no command evaluates it again, as its theta is not finite";
    return failure;
  }
  failure.replay = replay_command(problem, options, failure.theta);
  if (problem.inline_model)
    failure.note = fmt::format("{} stands for the run file's model, saved as a file of its own", kModelFile);
  else if (problem.model_path == "-")
    failure.note = fmt::format("{} stands for the model that came from standard input", kModelFile);
  return failure;
}

}  // namespace sojourn::cli
