#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/json_writer.hpp"
#include "cli/numbers.hpp"
#include "cli/run_file.hpp"
#include "cli/streams.hpp"
#include "cli/theta.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "sojourn/sample.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMaxRows = 1'000'000'000;

struct SimulateOptions {
  CommonOptions common;
  std::string run, theta, num_rows, seed, output;
  bool overwrite = false, json = false;
};

std::int64_t choose_num_rows(const SimulateOptions& options, const RunFile& run, TimeKind time_kind) {
  if (!options.num_rows.empty()) return parse_whole("-n", options.num_rows, 1, kMaxRows);
  SOJOURN_EXPECTS(!run.problem.data_path.empty(), UsageError,
                  "{} names no data file to take the number of rows from; give -n", run.path);
  return load_observations(run.problem.data_path, time_kind).num_rows;
}

ExitCode simulate(const SimulateOptions& options) {
  const RunFile run = load_run_file(options.run);
  const std::uint64_t seed = options.seed.empty() ? run.sampler.seed : parse_seed("--seed", options.seed);
  const int num_threads = options.common.num_threads();
  const Model model = load_run_model(run.problem, options.common.limits());
  print_warnings(model);
  const std::vector<double> theta = parse_theta(model, options.theta);
  const std::vector<double> reward = observed_reward(run.problem, model);
  const std::int64_t num_rows = choose_num_rows(options, run, model.graph.time_kind());
  const Matrix<double> draws = sample(model, theta, {reward}, num_rows, seed, num_threads);
  const std::string column = model.graph.time_kind() == TimeKind::kDiscrete ? "count" : "time";
  const auto outside = std::ranges::find_if(draws.values(), [](double draw) { return !std::isfinite(draw); });
  SOJOURN_EXPECTS(outside == draws.values().end(), NumericalError,
                  "{}: {} {} drawn is {}, beyond the range of double precision; change the unit of the rates",
                  describe_theta(model, theta), column, outside - draws.values().begin() + 1, *outside);
  if (options.json && options.output.empty()) {
    JsonWriter json;
    json.begin_object().member("model", model.name).member("seed", seed);
    json.key("theta").values(theta).key(column).values(draws.values());
    write_stdout(json.end_object().take());
    return ExitCode::kDone;
  }
  std::string text = column + '\n';
  for (const double draw : draws.values()) {
    text += format_number(draw);
    text += '\n';
  }
  write_file(options.output, text, options.overwrite);
  if (options.json) {
    JsonWriter json;
    json.begin_object().member("model", model.name).member("seed", seed).key("theta").values(theta);
    write_stdout(json.member("file", options.output).member("rows", num_rows).end_object().take());
  }
  return ExitCode::kDone;
}

}  // namespace

Action add_simulate(CLI::App& app) {
  const auto options = std::make_shared<SimulateOptions>();
  app.add_option("RUN", options->run, "Run file; - is standard input")->required();
  app.add_option("--theta", options->theta, "One value per parameter of the model, fixed ones included")
      ->type_name("A,B,...")
      ->required();
  app.add_option("-n,--rows", options->num_rows, "Number of observations [as many as the run's data file has rows]")
      ->type_name("N");
  app.add_option("--seed", options->seed, "Whole number; the same seed gives the same data [the run's]")
      ->type_name("S");
  app.add_option("--output", options->output, "File to write, whole or not at all [standard output]")
      ->type_name("FILE");
  app.add_flag("--overwrite", options->overwrite, "Replace the file if it exists");
  app.add_flag("--json", options->json, "Print one JSON object: the data, or with --output what was written");
  add_thread_option(app, options->common);
  add_limit_options(app, options->common);
  app.footer(
      "Writes a data file with one column, time (count in discrete time): independent draws of the run's\n"
      "model and reward. All observations are exact; censoring in the run's own data is not imitated.\n\n"
      "Example:\n  sojourn simulate run.yaml --theta 1.5 -n 200 --seed 7 --output synthetic.csv");
  return [options] { return simulate(*options); };
}

}  // namespace sojourn::cli
