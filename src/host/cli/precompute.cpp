#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "cli/json_writer.hpp"
#include "cli/precompute_part.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

struct PrecomputeOptions {
  CommonOptions common;
  std::vector<std::string> models;
  std::string part;
  bool json = false;
};

struct Outcome {
  std::vector<Model> models;
  std::vector<PrecomputeReport> reports;
  PrecomputeReport total;
  ChosenPart chosen;
  std::string folder;
  double seconds = 0;  // by the clock, models included
};

std::string as_json(const PrecomputeOptions& options, const Outcome& outcome) {
  JsonWriter json;
  json.begin_object().member("folder", outcome.folder);
  json.key("part").begin_object().member("index", outcome.chosen.part.index + 1);
  json.member("of", outcome.chosen.part.count).member("source", outcome.chosen.source).end_object();
  json.key("models").begin_array();
  for (std::size_t m = 0; m < outcome.models.size(); ++m) {
    const PrecomputeReport& report = outcome.reports[m];
    json.begin_object().member("file", options.models[m]).member("name", outcome.models[m].name);
    json.member("states", static_cast<std::int64_t>(outcome.models[m].graph.num_states()));
    json.member("components", report.num_components).member("entries", report.num_patterns);
    json.member("new", report.num_new).member("present", report.num_present);
    json.member("other_parts", report.num_elsewhere);
    json.member("bytes_new", report.bytes_new).member("bytes_present", report.bytes_present);
    json.member("seconds", report.seconds).end_object();
  }
  json.end_array();
  json.member("new", outcome.total.num_new).member("present", outcome.total.num_present);
  json.member("other_parts", outcome.total.num_elsewhere);
  json.member("bytes_new", outcome.total.bytes_new).member("bytes_present", outcome.total.bytes_present);
  json.member("seconds", outcome.seconds);
  return json.end_object().take();
}

std::string as_text(const PrecomputeOptions& options, const Outcome& outcome) {
  TextTable table({"model", "states", "components", "entries", "new", "there", "other parts", "written", "work"});
  for (std::size_t m = 0; m < outcome.models.size(); ++m) {
    const PrecomputeReport& report = outcome.reports[m];
    table.add({options.models[m], format_count(outcome.models[m].graph.num_states()),
               format_count(report.num_components), format_count(report.num_patterns), format_count(report.num_new),
               format_count(report.num_present),
               outcome.chosen.part.count > 1 ? format_count(report.num_elsewhere) : "",
               format_bytes(static_cast<double>(report.bytes_new)), fmt::format("{:.3f} s", report.seconds)});
  }
  std::string text = table.text();
  const PrecomputeReport& total = outcome.total;
  if (total.num_new + total.num_present + total.num_elsewhere == 0)
    text += fmt::format(
        "nothing to keep: no component has {} states, from which reading is faster than working it out "
        "(SOJOURN_MIN_SCC_SIZE_TO_CACHE)\n",
        format_count(elimination_settings().min_states_to_cache));
  if (outcome.chosen.part.count > 1)
    text += fmt::format("part {} of {} ({})\n", outcome.chosen.part.index + 1, outcome.chosen.part.count,
                        outcome.chosen.source);
  text +=
      fmt::format("{} new ({}), {} there already ({}), in {:.3f} s; folder {}\n", format_count(outcome.total.num_new),
                  format_bytes(static_cast<double>(outcome.total.bytes_new)), format_count(outcome.total.num_present),
                  format_bytes(static_cast<double>(outcome.total.bytes_present)), outcome.seconds, outcome.folder);
  return text;
}

ExitCode run_precompute(const PrecomputeOptions& options) {
  Outcome outcome;
  outcome.chosen = choose_part(options.part);
  EliminationSettings settings = elimination_settings_from_environment();
  settings.num_threads = options.common.num_threads();
  settings.warn = [](const std::string& message) { warn(message); };
  SOJOURN_EXPECTS(settings.cache != CacheMode::kOff, UsageError,
                  "precompute fills the cache, but SOJOURN_DISABLE_CACHE=1 switches it off; unset it");
  configure_elimination(settings);
  check_cache_folder(/*create=*/true);
  outcome.folder = cache_folder_in_force();
  const auto start = std::chrono::steady_clock::now();
  std::vector<const StateGraph*> graphs;
  for (const std::string& file : options.models) {
    outcome.models.push_back(load_model(file, options.common.limits()));
    print_warnings(outcome.models.back());
  }
  for (const Model& model : outcome.models) graphs.push_back(&model.graph);
  outcome.reports = precompute(graphs, outcome.chosen.part);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const PrecomputeReport& report : outcome.reports) {
    outcome.total.num_new += report.num_new;
    outcome.total.num_present += report.num_present;
    outcome.total.num_elsewhere += report.num_elsewhere;
    outcome.total.bytes_new += report.bytes_new;
    outcome.total.bytes_present += report.bytes_present;
  }
  write_stdout(options.json ? as_json(options, outcome) : as_text(options, outcome));
  return ExitCode::kDone;
}

}  // namespace

Action add_precompute(CLI::App& app) {
  const auto options = std::make_shared<PrecomputeOptions>();
  app.add_option("MODEL", options->models, "Model files; - is standard input")->required();
  app.add_option("--part", options->part,
                 "Do part I of N, from 1 [a SLURM array's task and an MPI rank, where there are any; else 1/1]")
      ->type_name("I/N");
  app.add_flag("--json", options->json, "Print one JSON object");
  add_thread_option(app, options->common);
  add_limit_options(app, options->common);
  app.footer(
      "Works out the elimination of every large component of the models and keeps it in the cache folder\n"
      "(SOJOURN_CACHE_DIR, else sojourn in XDG_CACHE_HOME or ~/.cache), for all later runs and all models\n"
      "that have the same components. Components of fewer than SOJOURN_MIN_SCC_SIZE_TO_CACHE states are\n"
      "faster worked out again than read.\n\n"
      "Examples:\n"
      "  sojourn precompute model.yaml\n"
      "  sbatch --array=1-8 --wrap 'sojourn precompute small.yaml large.yaml'\n"
      "  mpirun -n 4 sojourn precompute model.yaml");
  return [options] { return run_precompute(*options); };
}

}  // namespace sojourn::cli
