#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/bench_cases.hpp"
#include "cli/bench_output.hpp"
#include "cli/bench_plot.hpp"
#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMaxParticles = 10'000'000, kMaxObservations = 1'000'000, kMaxRepetitions = 1000;

struct BenchOptions {
  CommonOptions common;
  std::vector<std::string> cases;
  std::string particles, threads, precision = "fp64", repetitions, seconds, observations, theta, plot, save;
  bool quick = false, json = false, overwrite = false;
};

/// Comma-separated whole numbers, sorted, each once.
std::vector<std::int64_t> parse_counts(const char* flag, const std::string& text, std::int64_t most) {
  std::vector<std::int64_t> counts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    counts.push_back(parse_whole(flag, std::string_view(text).substr(begin, end - begin), 1, most));
    begin = end + 1;
  }
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

/// Each once, fp64 first.
std::vector<Precision> parse_precisions(const std::string& text) {
  bool asked[2] = {false, false};
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    SOJOURN_EXPECTS(name == "fp64" || name == "fp32", UsageError,
                    "--precision: '{}' is not measured by this version; allowed: fp64, fp32", name);
    asked[name == "fp32" ? 1 : 0] = true;
    begin = end + 1;
  }
  std::vector<Precision> precisions;
  if (asked[0]) precisions.push_back(Precision::kDouble);
  if (asked[1]) precisions.push_back(Precision::kSingle);
  return precisions;
}

/// The numbers asked for, else 1, 2, 4, ... up to what a run would use; the two ends when it must be quick.
std::vector<int> choose_threads(const BenchOptions& options) {
  std::vector<int> threads;
  if (!options.threads.empty()) {
    for (const std::int64_t count : parse_counts("--threads", options.threads, 4096))
      threads.push_back(resolve_num_threads(static_cast<int>(count)));
    return threads;
  }
  const int most = resolve_num_threads(0);
  for (int count = 1; count < most; count *= 2) {
    if (count == 1 || !options.quick) threads.push_back(count);
  }
  threads.push_back(most);
  return threads;
}

BenchPlan make_plan(const BenchOptions& options) {
  BenchPlan plan;
  plan.quick = options.quick;
  plan.threads = choose_threads(options);
  plan.precisions = parse_precisions(options.precision);
  if (!options.particles.empty()) plan.particles = parse_counts("--particles", options.particles, kMaxParticles);
  if (options.quick) {
    plan.num_repetitions = 3;
    plan.seconds = 0.02;
    plan.num_observations = 100;
  }
  if (!options.repetitions.empty())
    plan.num_repetitions = static_cast<int>(parse_whole("--repetitions", options.repetitions, 1, kMaxRepetitions));
  if (!options.seconds.empty()) plan.seconds = parse_number("--seconds", options.seconds, 0, 3600);
  if (!options.observations.empty())
    plan.num_observations = parse_whole("--observations", options.observations, 1, kMaxObservations);
  return plan;
}

/// A file to write at the end must be possible before an hour of measuring.
void check_target(const char* flag, const std::string& path, bool overwrite) {
  if (path.empty()) return;
  SOJOURN_EXPECTS(path != "-", UsageError, "{}: give a file; standard output holds the table", flag);
  std::error_code ignored;
  SOJOURN_EXPECTS(overwrite || !std::filesystem::exists(path, ignored), UsageError,
                  "{}: {} exists; give --overwrite to replace it", flag, path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  SOJOURN_EXPECTS(folder.empty() || std::filesystem::is_directory(folder, ignored), IoError,
                  "{}: folder {} does not exist; make it first", flag, folder.string());
}

ExitCode bench(const BenchOptions& options) {
  const Device device = open_device(options.common.device);
  check_target("--plot", options.plot, options.overwrite);
  check_target("--save", options.save, options.overwrite);
  BenchReport report;
  report.plan = make_plan(options);
  report.plan.device = device;
  const std::vector<std::string> names = options.cases.empty() ? bench_case_names(options.quick) : options.cases;
  std::vector<BenchCase> cases;
  for (const std::string& name : names) {
    cases.push_back(make_bench_case(name, options.theta, options.common.limits()));
    print_warnings(cases.back().model);
  }
  report.build = build_info();
  report.machine = bench_machine();
  report.plan.last_cache_bytes = static_cast<std::size_t>(std::max(report.machine.l3, report.machine.l2));
  report.load_before = load_average();
  report.result = run_bench(cases, report.plan);
  report.load_after = load_average();
  report.warnings = bench_warnings(report);
  for (const std::string& warning : report.warnings) warn(warning);
  if (!options.save.empty()) write_file(options.save, bench_json(report), options.overwrite);
  if (!options.plot.empty()) write_file(options.plot, bench_plot(report), options.overwrite);
  write_stdout(options.json ? bench_json(report) : bench_table(report));
  return ExitCode::kDone;
}

}  // namespace

Action add_bench(CLI::App& app) {
  const auto options = std::make_shared<BenchOptions>();
  app.add_option("CASE", options->cases,
                 "Cases to measure [all]: " + list_names(bench_case_names(false)) + "; or model files")
      ->expected(0, -1);
  app.add_flag("--quick", options->quick, "A few seconds: short repetitions, small batches, no large case");
  app.add_flag("--json", options->json, "Print one JSON object");
  app.add_option("--particles", options->particles, "Parameter vectors of a batch, several by commas [200 and many]")
      ->type_name("N,...");
  app.add_option("--threads", options->threads, "CPU threads, several by commas [1, 2, 4, ... up to a run's number]")
      ->type_name("N,...");
  app.add_option("--precision", options->precision, "Arithmetic, several by commas: fp64, fp32 (means alone) [fp64]")
      ->type_name("NAME,...");
  app.add_option("--observations", options->observations,
                 "Observations of a log-likelihood, drawn from the model [1000; 100 with --quick]")
      ->type_name("N");
  app.add_option("--repetitions", options->repetitions, "Repetitions for median and spread [5; 3 with --quick]")
      ->type_name("N");
  app.add_option("--seconds", options->seconds, "Least duration of one repetition [0.2; 0.02 with --quick]")
      ->type_name("T");
  app.add_option("--theta", options->theta, "Centre of the particles of a model file [1 for rates]")
      ->type_name("A,B,...");
  app.add_option("--plot", options->plot, "Write a picture of the results too")->type_name("FILE.svg");
  app.add_option("--save", options->save, "Write the JSON object to a file too")->type_name("FILE.json");
  app.add_flag("--overwrite", options->overwrite, "Replace these files where they exist");
  add_device_option(app, options->common);
  add_limit_options(app, options->common);
  app.footer(
      "With --device cuda the device is measured beside the CPU, with limits of its own.\n"
      "The machine's limit is measured in the same run: a loop of multiply-adds in registers and a loop of copies\n"
      "through memory, with as many threads. Close other programs first; a busy machine is reported.\n\n"
      "Examples:\n"
      "  sojourn bench --quick\n"
      "  sojourn bench --device cuda\n"
      "  sojourn bench two_deme_blocks_10 my-model.yaml --particles 100,10000 --threads 1,8 --plot bench.svg");
  return [options] { return bench(*options); };
}

}  // namespace sojourn::cli
