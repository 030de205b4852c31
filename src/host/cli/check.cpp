#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/elimination_options.hpp"
#include "cli/json_writer.hpp"
#include "cli/run_file.hpp"
#include "cli/stage_problems.hpp"
#include "cli/stages.hpp"
#include "cli/start_particles.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/theta.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "model/document.hpp"
#include "posterior/csv.hpp"

namespace sojourn::cli {
namespace {

struct CheckOptions {
  CommonOptions common;
  std::string file;
  bool json = false;
};

enum class FileKind { kModel, kRun, kData };

bool has_ending(const std::string& path, std::initializer_list<const char*> endings) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::any_of(endings.begin(), endings.end(), [&](const char* candidate) { return ending == candidate; });
}

/// First line of a text without its line end.
std::string_view first_line(std::string_view text) { return text.substr(0, text.find_first_of("\r\n")); }

/// By the `schema` key where there is one, else by the file's ending, else by whether its first line looks like the
/// header of a data file.
FileKind kind_of(const std::string& path, std::string_view text) {
  if (has_ending(path, {".csv", ".tsv", ".npy"})) return FileKind::kData;
  if (text.find("sojourn/run/") != std::string_view::npos) return FileKind::kRun;
  if (text.find("schema") != std::string_view::npos || has_ending(path, {".yaml", ".yml", ".json"}))
    return FileKind::kModel;
  const std::string_view line = first_line(text);
  const bool header = line.find(':') == std::string_view::npos && !line.empty() && line.front() != '{';
  return header ? FileKind::kData : FileKind::kModel;
}

void check_model(const std::string& text, const std::string& origin, const ModelLimits& limits, bool json) {
  const Model model = parse_model(text, origin, limits);
  print_warnings(model);
  const char* const time = model.graph.time_kind() == TimeKind::kDiscrete ? "discrete" : "continuous";
  if (json) {
    JsonWriter out;
    out.begin_object().member("kind", "model").member("name", model.name).member("time", time);
    out.member("states", static_cast<std::int64_t>(model.graph.num_states())).member("edges", model.graph.num_edges());
    write_stdout(out.key("parameters").values(parameter_names(model)).end_object().take());
    return;
  }
  write_stdout(fmt::format("ok: model {}, {} time, {} states, {} edges, {} parameter{}\n", model.name, time,
                           format_count(model.graph.num_states()), format_count(model.graph.num_edges()),
                           model.num_parameters(), model.num_parameters() == 1 ? "" : "s"));
}

void check_data(const std::string& text, const std::string& origin, bool json) {
  // The header tells the kind of time; a file without either column fails as a continuous one would.
  bool counts = false;
  refuse_binary(text, origin);
  CsvReader reader(text, origin);
  if (reader.next()) {
    const auto fields = reader.fields();
    counts = std::find(fields.begin(), fields.end(), "count") != fields.end();
  }
  const Observations observations =
      parse_observations(text, origin, counts ? TimeKind::kDiscrete : TimeKind::kContinuous);
  if (json) {
    JsonWriter out;
    out.begin_object().member("kind", "data").member("time", counts ? "discrete" : "continuous");
    out.member("observations", observations.num_rows).member("distinct", std::ssize(observations.items));
    write_stdout(out.end_object().take());
    return;
  }
  write_stdout(fmt::format("ok: data, {} observation{} of {} ({} distinct)\n", format_count(observations.num_rows),
                           observations.num_rows == 1 ? "" : "s", counts ? "counts" : "times",
                           format_count(static_cast<long long>(observations.items.size()))));
}

void check_run(const std::string& text, const std::string& path, const ModelLimits& limits, int num_threads,
               bool json) {
  RunFile run = parse_run_file(text, path);
  SOJOURN_EXPECTS(!run.problem.data_path.empty(), ModelError, "{}: missing key 'data'; add data: {{file: times.csv}}",
                  run.path);
  EvaluatorOptions options;
  options.num_threads = num_threads;
  const std::vector<Stage> stages = stages_of(run);
  std::vector<StageProblem> problems = load_problems(run, stages, limits);
  std::optional<Posterior> posterior;
  for (std::size_t k = 0; k < problems.size(); ++k) {
    posterior.emplace(std::move(problems[k].model), std::move(problems[k].observations), run.prior_map(),
                      run.fixed_map(), problems[k].reward, options);
    for (const std::string& warning : posterior->warnings()) warn(warning);
    // It is the first stage that starts with them.
    if (k > 0 || run.initial_path.empty()) continue;
    read_start_particles(*posterior, run.particles_given, run);
    check_start_particles(*posterior, run);
  }
  const SvgdOptions& sampler = stages.back().sampler;
  if (json) {
    JsonWriter out;
    out.begin_object().member("kind", "run").member("name", run.name).member("model", posterior->model().name);
    out.member("observations", posterior->observations().num_rows);
    out.member("free_parameters", static_cast<std::int64_t>(posterior->dimension()));
    out.member("particles", sampler.num_particles).member("iterations", sampler.num_iterations);
    write_stdout(out.member("stages", std::ssize(stages)).end_object().take());
    return;
  }
  write_stdout(fmt::format(
      "ok: run {}, model {}, {} observations, {} free parameter{}, {} particles, {} iterations{}\n", run.name,
      posterior->model().name, format_count(posterior->observations().num_rows), posterior->dimension(),
      posterior->dimension() == 1 ? "" : "s", sampler.num_particles, sampler.num_iterations,
      stages.size() == 1 ? "" : fmt::format(" in the last of {} stages", stages.size())));
}

ExitCode check(const CheckOptions& options) {
  const ModelLimits limits = options.common.limits();
  DocumentLimits document_limits;
  document_limits.what = "file";
  // Data files may be large; a model's own limit is checked when it is known to be one.
  document_limits.max_bytes = std::max<std::int64_t>(limits.max_bytes, 4LL << 30);
  const std::string text = read_text_file(options.file, document_limits);
  const std::string origin = options.file == "-" ? "<stdin>" : options.file;
  switch (kind_of(options.file, text)) {
    case FileKind::kModel:
      SOJOURN_EXPECTS(static_cast<std::int64_t>(text.size()) <= limits.max_bytes, ModelError,
                      "{}: {} bytes exceed --max-model-bytes {}", origin, text.size(), limits.max_bytes);
      check_model(text, origin, limits, options.json);
      break;
    case FileKind::kRun:
      check_run(text, options.file, limits, options.common.num_threads(), options.json);
      break;
    case FileKind::kData:
      check_data(text, origin, options.json);
      break;
  }
  return ExitCode::kDone;
}

}  // namespace

Action add_check(CLI::App& app) {
  const auto options = std::make_shared<CheckOptions>();
  app.add_option("FILE", options->file, "Model, run or data file; - is standard input")->required();
  app.add_flag("--json", options->json, "Print one JSON object instead of a line");
  add_thread_option(app, options->common);
  add_cache_option(app);
  add_limit_options(app, options->common);
  app.footer(
      "Tells the kind of file by its `schema` key, its ending (.csv is data) or its first line. A run file\n"
      "is checked together with its model, data, priors and starting particles.\n\n"
      "Example:\n  sojourn check run.yaml && sojourn infer run.yaml");
  return [options] { return check(*options); };
}

}  // namespace sojourn::cli
