#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "cli/elimination_options.hpp"
#include "cli/failed_run.hpp"
#include "cli/infer_output.hpp"
#include "cli/interrupt.hpp"
#include "cli/numbers.hpp"
#include "cli/progress.hpp"
#include "cli/ranks.hpp"
#include "cli/run_file.hpp"
#include "cli/run_plan.hpp"
#include "cli/sampler_block.hpp"
#include "cli/start_particles.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "graph/content_hash.hpp"
#include "model/document.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct InferOptions {
  CommonOptions common;
  std::string run, output = "sojourn-result", seed, particles, iterations, max_seconds, data_compression;
  bool overwrite = false, plan = false, strict = false, resume = false, json = false, quiet = false;
};

/// The run file with what the command line sets in its place.
RunFile read_run(const InferOptions& options) {
  RunFile run = load_run_file(options.run);
  if (!options.particles.empty()) {
    run.sampler.num_particles = parse_whole("--particles", options.particles, 2, kMaxParticles);
    run.particles_given = true;
  }
  if (!options.iterations.empty()) {
    run.sampler.num_iterations = parse_whole("--iterations", options.iterations, 1, kMaxIterations);
  }
  if (!options.data_compression.empty()) run.data_compression = data_compression_from(options.data_compression);
  if (!options.seed.empty()) run.sampler.seed = parse_seed("--seed", options.seed);
  return run;
}

/// The call as it would be typed again, for the record in the results.
std::string command_text(const InferOptions& options) {
  std::string text = "sojourn infer " + shell_word(options.run);
  const auto add = [&text](const char* flag, const std::string& value) {
    if (!value.empty()) text += fmt::format(" {} {}", flag, shell_word(value));
  };
  add("--output", options.output);
  add("--particles", options.particles);
  add("--iterations", options.iterations);
  add("--seed", options.seed);
  add("--data-compression", options.data_compression);
  add("--threads", options.common.threads);
  add("--device", options.common.device);
  add("--max-seconds", options.max_seconds);
  if (options.overwrite) text += " --overwrite";
  if (options.strict) text += " --strict";
  return text;
}

/// One inference from the run file to the output folder.
class Inference {
 public:
  Inference(const InferOptions& options, Communicator& ranks)
      : options_(options), ranks_(ranks), run_(read_run(options)) {
    SOJOURN_EXPECTS(
        !options.resume, UsageError,
        "--resume: this version writes no checkpoints, so there is nothing to resume; run again without it");
    if (!options.max_seconds.empty()) max_seconds_ = parse_number("--max-seconds", options.max_seconds, 1e-3);
    result_.device = choose_device(options.common.device);
    result_.num_threads = options.common.num_threads();
    if (const std::string warning = oversubscription_warning(result_.num_threads); !warning.empty())
      result_.warnings.push_back(warning);  // printed by num_threads() already
    run_.sampler.num_threads = result_.num_threads;
    result_.num_ranks = ranks_.size();
    if (!options.plan && is_first()) check_output_folder(options.output, {options.overwrite});
    load();
  }

  /// @throws CommError on all ranks where they were given different things.
  void expect_agreement() const {
    expect_same_everywhere(ranks_, "model", result_.model_digest);
    expect_same_everywhere(ranks_, "data", result_.data_digest);
    expect_same_everywhere(ranks_, "config", config_digest());
  }

  ExitCode plan() {
    const RunPlan plan = plan_run(*posterior_, run_.sampler, result_.num_threads);
    write_stdout(options_.json ? plan_json(plan) : plan_text(plan));
    return ExitCode::kDone;
  }

  ExitCode run() {
    move_particles();
    // All ranks hold the same particles; the first one looks at them and writes.
    if (!is_first()) return ExitCode::kDone;
    summarize_result();
    {
      const UninterruptedSection section;
      write_output_folder(options_.output, result_, *posterior_, {options_.overwrite});
    }
    if (options_.json) {
      write_stdout(read_text_file(options_.output + "/summary.json"));
    } else {
      write_stdout(result_text(result_, options_.output));
    }
    if (num_interrupts() > 0) return ExitCode::kInterrupted;
    return options_.strict ? strict_verdict() : ExitCode::kDone;
  }

 private:
  [[nodiscard]] double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  [[nodiscard]] bool is_first() const { return ranks_.rank() == 0; }

  /// Of everything that decides the particles beside model and data.
  [[nodiscard]] std::string config_digest() const {
    const SvgdOptions& sampler = run_.sampler;
    ContentHash hash;
    hash.add(build_info().version);
    hash.add(to_string(run_.data_compression));
    for (const std::int64_t value :
         {sampler.num_particles, sampler.num_iterations, static_cast<std::int64_t>(sampler.kernel),
          static_cast<std::int64_t>(sampler.bandwidth_rule), static_cast<std::int64_t>(sampler.whiten),
          static_cast<std::int64_t>(sampler.optimizer), static_cast<std::int64_t>(sampler.schedule),
          sampler.warmup_iterations, static_cast<std::int64_t>(sampler.start), static_cast<std::int64_t>(sampler.seed),
          sampler.history_every}) {
      hash.add(value);
    }
    for (const double value : {sampler.bandwidth, sampler.bandwidth_scale, sampler.linear_weight, sampler.learning_rate,
                               sampler.beta1, sampler.beta2, sampler.decay, sampler.laplace_inflation}) {
      hash.add(value);
    }
    for (const double value : sampler.given.values()) hash.add(value);
    for (const auto& [name, prior] : run_.prior_map()) hash.add(name + " " + prior.describe());
    for (const auto& [name, value] : run_.fixed_map()) {
      hash.add(name);
      hash.add(value);
    }
    return fmt::format("{:016x}", hash.digest().low64);
  }

  [[nodiscard]] bool quiet() const { return options_.quiet || log_level() < LogLevel::kInfo; }

  void say(const std::string& text) const {
    if (!quiet()) write_stderr(text + '\n');
  }

  void note(const std::string& warning) {
    warn(warning);
    result_.warnings.push_back(warning);
  }

  void load() {
    SOJOURN_EXPECTS(!run_.data_path.empty(), ModelError, "{}: missing key 'data'; add data: {{file: times.csv}}",
                    run_.path);
    Model model = load_run_model(run_, options_.common.limits());
    check_parameter_names(run_, model);
    Observations observations = load_observations(run_.data_path, model.graph.time_kind());
    const std::vector<double> reward = observed_reward(run_, model);
    result_.model_name = model.name;
    result_.model_digest = digest(model);
    result_.data_digest = data_digest(observations);
    result_.seed = run_.sampler.seed;
    result_.command = command_text(options_);
    result_.seconds["model"] = elapsed();
    say(fmt::format("model {}: {} states, {} edges; data: {} observations", model.name,
                    format_count(model.graph.num_states()), format_count(model.graph.num_edges()),
                    format_count(observations.num_rows)));
    EvaluatorOptions evaluator;
    evaluator.num_threads = result_.num_threads;
    posterior_.emplace(std::move(model), std::move(observations), run_.prior_map(), run_.fixed_map(), reward, evaluator,
                       run_.data_compression);
    result_.seconds["elimination"] = elapsed() - result_.seconds["model"];
    for (const std::string& warning : posterior_->warnings()) note(warning);
    if (run_.checkpoint)
      note(run_.path + ": checkpoint: not active in this version; the run writes its results at the end");
    if (!run_.initial_path.empty()) read_start_particles(*posterior_, run_.particles_given, run_);
    check_memory(run_.sampler, posterior_->dimension());
  }

  void move_particles() {
    Progress progress(Progress::style_of_stderr(quiet()));
    const GracefulSection section;
    const SvgdProgressFunction go_on = [&](const SvgdProgress& state) {
      if (is_first()) progress.update(state);
      return num_interrupts() == 0 && (!max_seconds_ || elapsed() < *max_seconds_);
    };
    try {
      result_.svgd = svgd(*posterior_, run_.sampler, ranks_, go_on);
    } catch (const ParticleError& error) {
      progress.finish();
      if (!is_first()) throw;  // the first one saves it for all
      throw NumericalError(error.what() + save_failure(error));
    }
    progress.finish();
    const std::int64_t done = result_.svgd.iterations_done;
    if (done >= run_.sampler.num_iterations) return;
    note(fmt::format("stopped early after iteration {} of {} ({}); {}", done, run_.sampler.num_iterations,
                     num_interrupts() > 0 ? "interrupted" : "--max-seconds " + options_.max_seconds,
                     done == 0 ? "the particles have not moved and say nothing about the posterior yet"
                               : "the particles may not have settled, see the diagnostics"));
  }

  /// Leaves failure.json in the output folder; the sentence that says so, to go behind the error's own.
  std::string save_failure(const ParticleError& error) const {
    RunFailure failure = failed_run(error, *posterior_, run_, options_.common);
    failure.model_digest = result_.model_digest;
    failure.data_digest = result_.data_digest;
    failure.command = result_.command;
    const std::string replay = failure.replay.empty() ? failure.note : "evaluate it again by: " + failure.replay;
    try {
      const UninterruptedSection section;
      const std::string path = write_failure_file(options_.output, failure, {options_.overwrite});
      return fmt::format("; its state is saved in {}; {}", path, replay);
    } catch (const Error& unwritten) {
      return fmt::format("; its state could not be saved: {}; {}", unwritten.what(), replay);
    }
  }

  void summarize_result() {
    const double before = elapsed();
    result_.parameters = summarize(*posterior_, result_.svgd);
    result_.particles = natural_particles(*posterior_, result_.svgd);
    // Particles that have not moved predict nothing, and their curves could take long after a stop.
    if (result_.svgd.iterations_done > 0)
      result_.predictive = predictive_check(*posterior_, result_.svgd, result_.num_threads);
    result_.routes = posterior_->route_counts();
    result_.compression = posterior_->compression();
    if (const std::string text = compression_text(result_.compression); !text.empty()) say("data compression: " + text);
    result_.seconds["start"] = result_.svgd.seconds_start;
    result_.seconds["scores"] = result_.svgd.seconds_scores;
    result_.seconds["kernel"] = result_.svgd.seconds_kernel;
    result_.seconds["predictive"] = elapsed() - before;
    result_.seconds["total"] = elapsed();
  }

  [[nodiscard]] ExitCode strict_verdict() const {
    std::string failed;
    for (const Diagnostic& diagnostic : result_.svgd.diagnostics) {
      if (diagnostic.verdict == "FAIL") failed += (failed.empty() ? "" : ", ") + diagnostic.name;
    }
    if (failed.empty()) return ExitCode::kDone;
    write_stderr(fmt::format(
        "error: --strict: diagnostics failed: {}; the results are in {}, run longer or with more particles\n", failed,
        options_.output));
    return ExitCode::kNumerical;
  }

  const InferOptions& options_;
  Communicator& ranks_;
  Clock::time_point start_ = Clock::now();
  RunFile run_;
  std::optional<double> max_seconds_;
  std::optional<Posterior> posterior_;
  InferenceResult result_;
};

ExitCode infer(const InferOptions& options) {
  const std::unique_ptr<Communicator> ranks = open_ranks();
  SOJOURN_EXPECTS(options.run != "-" || ranks->size() == 1, UsageError,
                  "RUN is standard input, which a launcher gives to the first of {} ranks alone; give a file",
                  ranks->size());
  std::optional<Inference> inference;
  on_all_ranks(*ranks, [&] { inference.emplace(options, *ranks); });
  on_all_ranks(*ranks, [&] { inference->expect_agreement(); });
  if (options.plan) return ranks->rank() == 0 ? inference->plan() : ExitCode::kDone;
  ExitCode code = ExitCode::kDone;
  on_all_ranks(*ranks, [&] { code = inference->run(); });
  return code;
}

}  // namespace

Action add_infer(CLI::App& app) {
  const auto options = std::make_shared<InferOptions>();
  app.add_option("RUN", options->run, "Run file (schema sojourn/run/1); - is standard input")->required();
  app.add_option("--output", options->output, "Folder for the results, made by the run")
      ->type_name("DIR")
      ->default_str("sojourn-result");
  app.add_flag("--overwrite", options->overwrite, "Replace the results that are in the folder");
  app.add_flag("--plan", options->plan, "Print predicted time and memory, run nothing");
  app.add_option("--max-seconds", options->max_seconds,
                 "Stop after this time in seconds, write the results reached so far and say so in them; the "
                 "exit status is 0")
      ->type_name("T");
  app.add_flag("--strict", options->strict, "Exit with status 4 if a diagnostic fails; the results are written");
  app.add_flag("--resume", options->resume, "Not in this version: runs write no checkpoints yet");
  app.add_flag("--json", options->json, "Print summary.json at the end instead of a table");
  app.add_flag("--quiet", options->quiet, "No progress on standard error");

  const char* sampler = "In place of what the run file says";
  app.add_option("--particles", options->particles, "Number of particles, at least 2")->type_name("N")->group(sampler);
  app.add_option("--iterations", options->iterations, "Number of iterations")->type_name("N")->group(sampler);
  app.add_option("--seed", options->seed, "Whole number; the same seed gives the same particles")
      ->type_name("S")
      ->group(sampler);
  app.add_option("--data-compression", options->data_compression,
                 "auto: read large data sets at interpolation nodes where the error is estimated below 1e-9; off: at "
                 "every observation")
      ->type_name("MODE")
      ->check(CLI::IsMember({"auto", "off"}))
      ->group(sampler);
  add_device_option(app, options->common);
  add_thread_option(app, options->common);
  add_cache_option(app);
  add_limit_options(app, options->common);
  app.footer(
      "Ctrl-C stops after the current iteration, writes the results reached so far and exits with status\n"
      "130; a second Ctrl-C leaves at once and writes nothing. A stop before the first iteration leaves\n"
      "particles that have not moved, and a failed diagnostic that says so. If a particle cannot be\n"
      "evaluated and no shorter step helps, the run ends with status 4 and writes failure.json: where the\n"
      "particle is and how to look at it again.\n\n"
      "Example:\n"
      "  cat > run.yaml <<END\n"
      "  schema: sojourn/run/1\n"
      "  model: kingman.yaml\n"
      "  data: {file: times.csv}\n"
      "  priors: {theta: {lognormal: {mean: 0, sd: 1}}}\n"
      "  sampler: {particles: 200, iterations: 500, kernel: imq, learning_rate: 0.05}\n"
      "  seed: 1\n"
      "  END\n"
      "  sojourn infer run.yaml --output result");
  return [options] { return infer(*options); };
}

}  // namespace sojourn::cli
