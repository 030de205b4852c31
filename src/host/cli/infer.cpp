#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>

#include "cli/elimination_options.hpp"
#include "cli/failed_run.hpp"
#include "cli/infer_output.hpp"
#include "cli/interrupt.hpp"
#include "cli/numbers.hpp"
#include "cli/progress.hpp"
#include "cli/ranks.hpp"
#include "cli/run_checkpoints.hpp"
#include "cli/run_file.hpp"
#include "cli/run_identity.hpp"
#include "cli/run_plan.hpp"
#include "cli/sampler_block.hpp"
#include "cli/start_particles.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "model/document.hpp"
#include "sojourn/checkpoint.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct InferOptions {
  CommonOptions common;
  std::string run, output = "sojourn-result", seed, particles, iterations, max_seconds, data_compression;
  bool overwrite = false, plan = false, strict = false, resume = false, keep_going = false, json = false, quiet = false;
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
  if (options.keep_going) text += " --keep-going";
  if (options.resume) text += " --resume";
  return text;
}

/// The call that goes on with this one.
std::string resuming_command(InferOptions options) {
  options.overwrite = false;
  options.resume = true;
  return command_text(options);
}

/// One inference from the run file to the output folder.
class Inference {
 public:
  Inference(const InferOptions& options, Communicator& ranks)
      : options_(options),
        ranks_(ranks),
        run_(read_run(options)),
        checkpoints_({options.output, options.resume, options.overwrite, options.keep_going}, run_.checkpoint,
                     [this](const std::string& text) { note(text); }) {
    if (!options.max_seconds.empty()) max_seconds_ = parse_number("--max-seconds", options.max_seconds, 1e-3);
    result_.device = choose_device(options.common.device);
    result_.num_threads = options.common.num_threads();
    if (const std::string warning = oversubscription_warning(result_.num_threads); !warning.empty())
      result_.warnings.push_back(warning);  // printed by num_threads() already
    run_.sampler.num_threads = result_.num_threads;
    result_.num_ranks = ranks_.size();
    if (!options.plan && is_first()) checkpoints_.check_folder();
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

  /// The first rank looks for a checkpoint to go on from.
  void look_for_checkpoint() {
    if (!is_first()) return;
    const auto fault = [&](const SvgdState& state) {
      SvgdOptions any_length = run_.sampler;
      any_length.num_iterations = std::max(any_length.num_iterations, state.iteration);
      return fault_of(state, any_length, posterior_->dimension());
    };
    found_ = checkpoints_.find(identity(), fault, [this](const std::string& text) { say(text); });
    if (!found_) return;
    const std::int64_t done = found_->checkpoint.state.iteration;
    SOJOURN_EXPECTS(done <= run_.sampler.num_iterations, UsageError,
                    "--resume: the run in {} has done {} iterations, more than the {} asked for; give --iterations {} "
                    "or more, or --overwrite instead of --resume",
                    options_.output, done, run_.sampler.num_iterations, done);
    if (done < run_.sampler.num_iterations || !holds_whole_results(options_.output, done)) return;
    is_done_ = true;
    say(fmt::format("{} has done all {} iterations: nothing is left to do; give more --iterations to go on",
                    options_.output, done));
  }

  /// Gives all ranks what the first one found; the others need not see the output folder. Whether there is work to do.
  bool share_checkpoint() {
    const std::int64_t facts[] = {is_done_ ? 1 : 0, found_ ? static_cast<std::int64_t>(found_->bytes.size()) : 0};
    const std::vector<std::int64_t> told = ranks_.broadcast(std::span<const std::int64_t>(facts), 0);
    if (told[0] != 0) return false;
    if (told[1] == 0) return true;
    std::string bytes = found_ ? std::move(found_->bytes) : std::string(static_cast<std::size_t>(told[1]), '\0');
    const std::vector<char> same = ranks_.broadcast(std::span<const char>(bytes), 0);
    resumed_ = decode_checkpoint(std::as_bytes(std::span(same)), "the first rank's checkpoint");
    result_.resumed_at = resumed_->resumed_at;
    result_.resumed_at.push_back(resumed_->state.iteration);
    say(fmt::format("going on after iteration {} of {}", resumed_->state.iteration, run_.sampler.num_iterations));
    return true;
  }

  /// What is said of a run that is done already.
  ExitCode show_results() const {
    if (is_first() && options_.json) write_stdout(read_text_file(options_.output + "/summary.json"));
    return ExitCode::kDone;
  }

  ExitCode run() {
    const std::optional<ExitCode> stopped = move_particles();
    // All ranks hold the same particles; the first one looks at them and writes.
    if (!is_first()) return stopped.value_or(ExitCode::kDone);
    summarize_result();
    {
      const UninterruptedSection section;
      const bool ours = checkpoints_.folder_is_ours();
      write_output_folder(options_.output, result_, *posterior_,
                          {.overwrite = options_.overwrite || ours, .keep_checkpoints = ours});
    }
    if (options_.json) {
      write_stdout(read_text_file(options_.output + "/summary.json"));
    } else {
      write_stdout(result_text(result_, options_.output));
    }
    if (stopped) {
      write_stderr(fmt::format("to go on, on any number of ranks: {}\n", resuming_command(options_)));
      return *stopped;
    }
    return options_.strict ? strict_verdict() : ExitCode::kDone;
  }

 private:
  /// Why a run stops before its end, the more urgent later; the most urgent of all ranks counts.
  enum class Stop : std::int32_t { kNone, kTime, kScheduler, kUser };

  [[nodiscard]] double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Of all parts of the run.
  [[nodiscard]] double elapsed_of_all() const { return elapsed() + (resumed_ ? resumed_->seconds : 0); }

  [[nodiscard]] bool is_first() const { return ranks_.rank() == 0; }

  [[nodiscard]] std::vector<RunField> identity() const {
    return run_identity(run_, result_.model_digest, result_.data_digest);
  }

  /// Of everything that decides the particles.
  [[nodiscard]] std::string config_digest() const {
    std::vector<RunField> fields = identity();
    fields.push_back({"iterations", std::to_string(run_.sampler.num_iterations)});
    fields.push_back(run_origin().front());
    return digest_of(fields);
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
    if (!run_.initial_path.empty()) read_start_particles(*posterior_, run_.particles_given, run_);
    check_memory(run_.sampler, posterior_->dimension());
  }

  [[nodiscard]] Stop own_stop() const {
    switch (stop_request()) {
      case StopRequest::kUser:
        return Stop::kUser;
      case StopRequest::kScheduler:
        return Stop::kScheduler;
      case StopRequest::kNone:
        break;
    }
    return max_seconds_ && elapsed() >= *max_seconds_ ? Stop::kTime : Stop::kNone;
  }

  /// Writes a checkpoint; a failure waits until all ranks have stopped.
  void save(const SvgdState& state) {
    if (save_failure_) return;
    try {
      checkpoints_.write({.identity = identity(),
                          .origin = run_origin(),
                          .num_iterations = run_.sampler.num_iterations,
                          .resumed_at = result_.resumed_at,
                          .seconds = elapsed_of_all(),
                          .state = state});
    } catch (const Error&) {
      save_failure_ = std::current_exception();
    }
  }

  /// The status to end with where the run was stopped.
  std::optional<ExitCode> move_particles() {
    Progress progress(Progress::style_of_stderr(quiet()));
    const GracefulSection section;
    SvgdControl control{.report_every = run_.checkpoint.every_iterations,
                        .resume = resumed_ ? &resumed_->state : nullptr};
    control.progress = [&](const SvgdProgress& now) {
      if (is_first()) progress.update(now);
      const bool last = now.iteration == now.num_iterations;
      if (is_first() && now.state != nullptr && now.iteration > 0 && !last && checkpoints_.is_due(now.iteration))
        save(*now.state);
      return own_stop() == Stop::kNone && !save_failure_;
    };
    bool has_state = false;
    control.finish = [&](const SvgdState& state) {
      has_state = true;
      if (is_first()) save(state);
    };
    try {
      result_.svgd = svgd(*posterior_, run_.sampler, ranks_, control);
    } catch (const ParticleError& error) {
      progress.finish();
      if (!is_first()) throw;  // the first one saves it for all
      throw NumericalError(error.what() + save_failed_particle(error));
    }
    progress.finish();
    if (is_first() && !has_state) save({});  // stopped inside the start, which begins anew
    const auto own = static_cast<std::int32_t>(own_stop());
    const auto stop = static_cast<Stop>(ranks_.all_reduce(std::span<const std::int32_t>(&own, 1), Reduction::kMax)[0]);
    if (save_failure_) std::rethrow_exception(save_failure_);
    const std::int64_t done = result_.svgd.iterations_done;
    if (done >= run_.sampler.num_iterations) return std::nullopt;
    note(fmt::format("stopped early after iteration {} of {} ({}); {}", done, run_.sampler.num_iterations,
                     name_of(stop),
                     done == 0 ? "the particles have not moved and say nothing about the posterior yet"
                               : "the particles may not have settled, see the diagnostics"));
    if (resumed_ && done == resumed_->state.iteration)
      note("this part of the run has done no iteration; a chain of such jobs never ends, so give each more time");
    return stop == Stop::kUser ? ExitCode::kInterrupted : ExitCode::kCheckpoint;
  }

  [[nodiscard]] std::string name_of(Stop stop) const {
    if (stop == Stop::kTime && max_seconds_) return "--max-seconds " + options_.max_seconds;
    const std::string signal = name_of_stop();
    return signal.empty() ? "by a signal to another rank" : signal;
  }

  /// Leaves failure.json in the output folder; the sentence that says so, to go behind the error's own.
  std::string save_failed_particle(const ParticleError& error) const {
    RunFailure failure = failed_run(error, *posterior_, run_, options_.common);
    failure.model_digest = result_.model_digest;
    failure.data_digest = result_.data_digest;
    failure.command = result_.command;
    const std::string replay = failure.replay.empty() ? failure.note : "evaluate it again by: " + failure.replay;
    try {
      const UninterruptedSection section;
      const std::string path = write_failure_file(options_.output, failure,
                                                  {.overwrite = options_.overwrite || checkpoints_.folder_is_ours()});
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
    result_.seconds["total"] = elapsed_of_all();
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
  InferenceResult result_;
  RunFile run_;
  std::optional<double> max_seconds_;
  RunCheckpoints checkpoints_;
  std::optional<FoundCheckpoint> found_;  ///< on the first rank
  std::optional<Checkpoint> resumed_;     ///< what the run goes on from
  bool is_done_ = false;
  std::exception_ptr save_failure_;
  std::optional<Posterior> posterior_;
};

ExitCode infer(const InferOptions& options) {
  expect_to_run_again();
  const std::unique_ptr<Communicator> ranks = open_ranks();
  SOJOURN_EXPECTS(options.run != "-" || ranks->size() == 1, UsageError,
                  "RUN is standard input, which a launcher gives to the first of {} ranks alone; give a file",
                  ranks->size());
  std::optional<Inference> inference;
  on_all_ranks(*ranks, [&] { inference.emplace(options, *ranks); });
  on_all_ranks(*ranks, [&] { inference->expect_agreement(); });
  if (options.plan) return ranks->rank() == 0 ? inference->plan() : ExitCode::kDone;
  on_all_ranks(*ranks, [&] { inference->look_for_checkpoint(); });
  if (!inference->share_checkpoint()) return inference->show_results();
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
                 "Stop after this time in seconds at a checkpoint, write the results reached so far too and say so in "
                 "them; the exit status is 75, and --resume goes on")
      ->type_name("T");
  app.add_flag("--strict", options->strict, "Exit with status 4 if a diagnostic fails; the results are written");
  app.add_flag("--resume", options->resume,
               "Go on from the newest checkpoint in the folder, with the particles of a run that was never stopped; "
               "from the beginning where there is none yet. Implied where SLURM starts a job again");
  app.add_flag("--keep-going", options->keep_going,
               "Go on without checkpoints where none can be written, instead of ending with status 5");
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
      "  sojourn infer run.yaml --output result\n\n"
      "Stop and go on: by time, Ctrl-C, or what a scheduler sends (SIGTERM, SIGUSR1)\n"
      "  sojourn infer run.yaml --output result --max-seconds 3000\n"
      "  sojourn infer run.yaml --output result --resume");
  return [options] { return infer(*options); };
}

}  // namespace sojourn::cli
