#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>

#include "cli/failed_run.hpp"
#include "cli/infer_options.hpp"
#include "cli/infer_output.hpp"
#include "cli/interrupt.hpp"
#include "cli/numbers.hpp"
#include "cli/progress.hpp"
#include "cli/ranks.hpp"
#include "cli/run_checkpoints.hpp"
#include "cli/run_file.hpp"
#include "cli/run_identity.hpp"
#include "cli/run_plan.hpp"
#include "cli/run_strategy.hpp"
#include "cli/stage_posterior.hpp"
#include "cli/stages.hpp"
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

/// One inference from the run file to the output folder.
class Inference {
 public:
  /// `communication`: what has been said between the ranks so far.
  Inference(const InferOptions& options, Communicator& ranks, CommCost& communication)
      : options_(options),
        ranks_(ranks),
        communication_(communication),
        run_(read_run(options)),
        checkpoints_({options.output, options.resume, options.overwrite, options.keep_going}, run_.checkpoint,
                     [this](const std::string& text) { note(text); }) {
    if (!options.max_seconds.empty()) max_seconds_ = parse_number("--max-seconds", options.max_seconds, 1e-3);
    open_devices();
    if (device_) result_.device = device_.name();
    result_.num_threads = options.common.num_threads();
    if (const std::string warning = oversubscription_warning(result_.num_threads); !warning.empty())
      result_.warnings.push_back(warning);  // printed by num_threads() already
    result_.distributed = configure_run(options, run_, ranks_, static_cast<bool>(device_), result_.num_threads);
    for (const std::string& warning : result_.distributed.warnings) note(warning);
    run_.sampler.num_threads = result_.num_threads;
    result_.num_ranks = ranks_.size();
    SOJOURN_EXPECTS(!run_.problem.data_path.empty(), ModelError,
                    "{}: missing key 'data'; add data: {{file: times.csv}}", run_.path);
    stages_ = stages_of(run_);
    stage_posterior_.emplace(ranks_, run_, device_, result_.num_threads);
    if (!is_first()) return;
    if (!options.plan) checkpoints_.check_folder();
    load();
  }

  /// Gives all ranks what the first one has loaded, and makes ready to run.
  /// @throws CommError on all ranks where they were given different things.
  void share() {
    // Read as they lie there, without being parsed: a copy that differs on another node's disk is told.
    for (const Stage& stage : stages_) {
      expect_same_file(ranks_, "model", stage.source.inline_model ? run_.path : stage.source.model_path);
      expect_same_file(ranks_, "data", stage.source.data_path);
    }
    digests_.resize(stages_.back().problem + 1);
    for (ProblemDigests& digests : digests_) {
      digests.model = text_of_first(ranks_, digests.model);
      digests.data = text_of_first(ranks_, digests.data);
    }
    stage_posterior_->share(stages_.front());
  }

  /// What is left to do before the first step.
  void prepare() {
    result_.seconds["elimination"] = elapsed() - result_.seconds["model"];
    if (!is_first()) read_particles();
    for (const Stage& stage : stages_) {
      const RunMemory memory = run_memory(posterior(), stage.sampler, result_.num_threads, is_first());
      if (const std::string warning = check_memory(memory, stage.sampler); !warning.empty()) note(warning);
    }
  }

  /// @throws CommError on all ranks where their configurations differ.
  void expect_agreement() const { expect_same_everywhere(ranks_, "config", config_digest()); }

  /// All ranks evaluate together, as none need have all observations.
  void check_particles() const {
    if (run_.initial_path.empty()) return;
    check_start_particles(stage_posterior_->on_ranks(stages_.front()), run_);
  }

  /// What each rank will hold in the first stage, for the plan.
  void share_memory() {
    const RunMemory own = run_memory(posterior(), stages_.front().sampler, result_.num_threads, is_first());
    const double bytes = process_memory().now + own.workspaces() + own.still_to_come();
    bytes_of_ranks_ = ranks_.all_gather(std::span<const double>(&bytes, 1));
  }

  ExitCode plan() {
    std::vector<RunPlan> plans;
    for (std::size_t k = 0; k < stages_.size(); ++k) {
      enter_stage(k);
      SvgdOptions sampler = stages_[k].sampler;
      if (k > 0) sampler.start = StartKind::kGiven;
      plans.push_back(plan_run(posterior(), sampler, result_.num_threads));
      if (planned_device_) plans.back().device = stage_posterior_->plan_on(*planned_device_, sampler);
    }
    RunPlan plan = sum_of_plans(plans);
    plan.process_bytes = process_bytes_;
    if (ranks_.size() > 1) {
      plan.bytes_of_ranks = bytes_of_ranks_;
      plan.bytes_of_ranks.front() = plan.bytes;
    }
    if (plans.size() == 1) plans.clear();
    write_stdout(options_.json ? plan_json(plan, plans) : plan_text(plan, plans));
    return ExitCode::kDone;
  }

  /// The first rank looks for a checkpoint to go on from.
  void look_for_checkpoint() {
    if (!is_first()) return;
    found_ = checkpoints_.find(
        identity(), [this](const Checkpoint& one) { return fault_in(one); },
        [this](const std::string& text) { say(text); });
    if (!found_ || found_->checkpoint.stage + 1 < std::ssize(stages_)) return;
    const std::int64_t done = found_->checkpoint.state.iteration;
    const std::int64_t asked = stages_.back().sampler.num_iterations;
    SOJOURN_EXPECTS(done <= asked, UsageError,
                    "--resume: the run in {} has done {} iterations, more than the {} asked for; give --iterations {} "
                    "or more, or --overwrite instead of --resume",
                    options_.output, done, asked, done);
    if (done < asked || !holds_whole_results(options_.output, done)) return;
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
    result_.resumed_at.push_back(resumed_->iterations_before + resumed_->state.iteration);
    stage_seconds_ = resumed_->stage_seconds;
    const auto stage = static_cast<std::size_t>(resumed_->stage);
    say(fmt::format("going on after iteration {} of {}{}", resumed_->state.iteration,
                    stages_[stage].sampler.num_iterations, words_of_stage(stage)));
    return true;
  }

  /// What is said of a run that is done already.
  ExitCode show_results() const {
    if (is_first() && options_.json) write_stdout(read_text_file(options_.output + "/summary.json"));
    return ExitCode::kDone;
  }

  ExitCode run() {
    stop_gracefully();  // whoever is told to stop in the last moments ends as well
    const std::optional<ExitCode> stopped = go_through_stages();
    // All ranks hold the same particles; the first one looks at them and writes.
    if (!is_first()) return stopped.value_or(ExitCode::kDone);
    summarize_result();
    {
      const UninterruptedSection section;
      const bool ours = checkpoints_.folder_is_ours();
      write_output_folder(options_.output, result_, posterior(),
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
  [[nodiscard]] const Posterior& posterior() const { return **stage_posterior_; }

  [[nodiscard]] std::vector<RunField> identity() const { return run_identity(run_, stages_, digests_); }

  /// Of everything that decides the particles.
  [[nodiscard]] std::string config_digest() const {
    std::vector<RunField> fields = identity();
    fields.push_back({"iterations", std::to_string(stages_.back().sampler.num_iterations)});
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

  /// The device to run on, and the one that a plan is for: the same, or one that need not be here.
  void open_devices() {
    const std::string& requested = options_.common.device;
    SOJOURN_EXPECTS(options_.plan || options_.assume_device.empty(), UsageError,
                    "--assume-device '{}': only --plan is for a device that is not here; leave it out, or add --plan",
                    options_.assume_device);
    const bool asked = asks_for_cuda(requested);
    if (options_.plan && (!options_.assume_device.empty() || (asked && build_info().devices.empty()))) {
      planned_device_ = assumed_device(options_.assume_device);
      return;
    }
    device_ = open_device(requested, process_environment(), [this](const std::string& text) { note(text); });
    if (const std::string text = auto_device_text(requested); !text.empty())
      result_.warnings.push_back(text);  // printed
    if (options_.plan && device_) planned_device_ = {device_.name(), device_.free_bytes, false};
  }

  /// The first rank alone reads, explores and eliminates.
  void load() {
    std::vector<StageProblem> problems = load_problems(run_, stages_, options_.common.limits());
    for (const StageProblem& problem : problems) digests_.push_back({problem.model_digest, problem.data_digest});
    result_.model_name = problems.back().model.name;
    result_.model_digest = digests_.back().model;
    result_.data_digest = digests_.back().data;
    result_.seed = run_.sampler.seed;
    result_.command = command_text(options_);
    result_.seconds["model"] = elapsed();
    for (const StageProblem& problem : problems) {
      const Model& model = problem.model;
      model_names_.push_back(model.name);
      say(fmt::format("model {}: {} states, {} edges; data: {} observations", model.name,
                      format_count(model.graph.num_states()), format_count(model.graph.num_edges()),
                      format_count(problem.observations.num_rows)));
    }
    say(start_text(result_.distributed, result_.num_threads, result_.device, result_.seed));
    stage_posterior_->make(std::move(problems), stages_);
    for (const std::string& warning : stage_posterior_->warnings()) note(warning);
    read_particles();
  }

  /// The particles to start from, where a file has them.
  void read_particles() {
    if (run_.initial_path.empty()) return;
    read_start_particles(posterior(), run_.particles_given, run_);
    stages_ = stages_of(run_);
  }

  /// Makes the posterior of a stage, where it is not that of the one before.
  void enter_stage(std::size_t stage) {
    stage_posterior_->enter(stages_[stage], options_.plan);
    stage_ = stage;
  }

  [[nodiscard]] std::int64_t iterations_before(std::size_t stage) const {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < stage; ++k) sum += stages_[k].sampler.num_iterations;
    return sum;
  }

  /// " of stage 1 of 2", or nothing where there is one alone.
  [[nodiscard]] std::string words_of_stage(std::size_t stage) const {
    return stages_.size() == 1 ? "" : fmt::format(" of stage {} of {}", stage + 1, stages_.size());
  }

  /// ", model coarse" where the stage has one of its own.
  [[nodiscard]] std::string words_of_model(std::size_t stage) const {
    return stages_[stage].is_reduced ? ", model " + posterior().model().name : "";
  }

  /// What keeps a checkpoint of this run from being gone on with.
  [[nodiscard]] std::string fault_in(const Checkpoint& checkpoint) const {
    if (checkpoint.stage < 0 || checkpoint.stage >= std::ssize(stages_)) return "it is of no stage of the run";
    const auto stage = static_cast<std::size_t>(checkpoint.stage);
    if (checkpoint.iterations_before != iterations_before(stage) || checkpoint.stage_seconds.size() != stage)
      return "what it says of earlier stages is wrong";
    if (stage > 0 && checkpoint.state.particles.empty()) return "it has no particles";
    SvgdOptions sampler = stages_[stage].sampler;
    // That the last stage has done more than is asked for is another error.
    if (stage + 1 == stages_.size())
      sampler.num_iterations = std::max(sampler.num_iterations, checkpoint.state.iteration);
    return fault_of(checkpoint.state, sampler, posterior().dimension());
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
                          .num_iterations = stages_[stage_].sampler.num_iterations,
                          .resumed_at = result_.resumed_at,
                          .seconds = elapsed_of_all(),
                          .stage = static_cast<std::int64_t>(stage_),
                          .iterations_before = iterations_before(stage_),
                          .stage_seconds = stage_seconds_,
                          .state = state});
    } catch (const Error&) {
      save_failure_ = std::current_exception();
    }
  }

  /// The status to end with where the run was stopped.
  std::optional<ExitCode> go_through_stages() {
    for (auto stage = static_cast<std::size_t>(resumed_ ? resumed_->stage : 0);; ++stage) {
      enter_stage(stage);
      if (stages_.size() > 1) {
        const SvgdOptions& sampler = stages_[stage].sampler;
        say(fmt::format("stage {} of {}: {} particles, {} iterations{}", stage + 1, stages_.size(),
                        format_count(sampler.num_particles), format_count(sampler.num_iterations),
                        words_of_model(stage)));
      }
      const std::optional<ExitCode> stopped = move_particles();
      if (stopped || stage + 1 == stages_.size()) return stopped;
      stage_seconds_.push_back(result_.svgd.seconds_total);
    }
  }

  /// The options of this stage, with the particles that it begins with where an earlier one has moved them.
  [[nodiscard]] SvgdOptions options_of_stage(const SvgdState* resume) const {
    SvgdOptions sampler = stages_[stage_].sampler;
    if (stage_ == 0) return sampler;
    sampler.start = StartKind::kGiven;
    sampler.given = resume != nullptr
                        ? resume->particles
                        : restart_particles(stage_posterior_->on_ranks(stages_[stage_]), result_.svgd.particles.view(),
                                            sampler.num_particles, sampler.seed, static_cast<int>(stage_));
    return sampler;
  }

  /// One stage; the status to end with where it was stopped.
  std::optional<ExitCode> move_particles() {
    Progress progress(Progress::style_of_stderr(quiet()));
    const bool resumes = resumed_ && resumed_->stage == static_cast<std::int64_t>(stage_);
    if (const std::string text = stage_posterior_->words_of_mesh(stages_[stage_]); !text.empty()) say(text);
    SvgdControl control{.report_every = run_.checkpoint.every_iterations,
                        .resume = resumes ? &resumed_->state : nullptr,
                        .num_part_shares = run_.observation_shares,
                        .device = device_.svgd.get(),
                        .messages = device_messages()};
    control.messages.cost = &communication_;
    control.progress = [&](const SvgdProgress& now) {
      if (is_first()) progress.update(now);
      return own_stop() == Stop::kNone && !save_failure_;
    };
    const std::int64_t last = stages_[stage_].sampler.num_iterations;
    control.wants_state = [&](std::int64_t iteration) {
      return is_first() && iteration > 0 && iteration < last &&
             checkpoints_.is_due(iterations_before(stage_) + iteration);
    };
    control.take_state = [&](const SvgdState& state) {
      if (is_first()) save(state);
    };
    bool has_state = false;
    control.finish = [&](const SvgdState& state) {
      has_state = true;
      if (is_first()) save(state);
    };
    SvgdResult moved;
    try {
      moved = svgd(posterior(), options_of_stage(control.resume), ranks_, control);
    } catch (const ParticleError& error) {
      progress.finish();
      if (!is_first()) throw;  // the first one saves it for all
      throw NumericalError(error.what() + save_failed_particle(error));
    }
    progress.finish();
    // Stopped inside the start, which begins anew; that of a later stage goes on from the end of the one before.
    if (is_first() && !has_state && stage_ == 0) save({});
    const auto own = static_cast<std::int32_t>(own_stop());
    const auto stop = static_cast<Stop>(ranks_.all_reduce(std::span<const std::int32_t>(&own, 1), Reduction::kMax)[0]);
    if (save_failure_) std::rethrow_exception(save_failure_);
    const std::int64_t done = moved.iterations_done, asked = stages_[stage_].sampler.num_iterations;
    // What a later stage has not moved yet is looked at as the one before left it.
    if (done > 0 || result_.svgd.particles.empty()) result_.svgd = std::move(moved);
    if (done >= asked && (stage_ + 1 == stages_.size() || stop == Stop::kNone)) return std::nullopt;
    result_.svgd.interrupted = true;
    note(fmt::format("stopped early after iteration {} of {}{}{} ({}); {}", done, asked, words_of_stage(stage_),
                     words_of_model(stage_), name_of(stop),
                     result_.svgd.iterations_done == 0
                         ? "the particles have not moved and say nothing about the posterior yet"
                         : "the particles may not have settled, see the diagnostics"));
    if (resumes && done == resumed_->state.iteration)
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
    RunFailure failure = failed_run(error, posterior(), stages_[stage_].source, run_.sampler.seed, options_.common);
    failure.model_digest = digests_[stages_[stage_].problem].model;
    failure.data_digest = digests_[stages_[stage_].problem].data;
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
    for (std::size_t k = 0; stages_.size() > 1 && k <= stage_; ++k) {
      const Stage& stage = stages_[k];
      result_.stages.push_back(
          {stage.sampler.num_particles, stage.sampler.num_iterations, stage.sampler.learning_rate, stage.tolerance,
           stage.compression, k < stage_seconds_.size() ? stage_seconds_[k] : result_.svgd.seconds_total,
           model_names_[stage.problem], digests_[stage.problem].model, digests_[stage.problem].data});
    }
    result_.parameters = summarize(posterior(), result_.svgd);
    result_.particles = natural_particles(posterior(), result_.svgd);
    // Particles that have not moved predict nothing, and their curves could take long after a stop.
    if (result_.svgd.iterations_done > 0)
      result_.predictive = predictive_check(posterior(), result_.svgd, result_.num_threads);
    result_.routes = posterior().route_counts();
    result_.compression = posterior().compression();
    if (const std::string text = compression_text(result_.compression); !text.empty()) say("data compression: " + text);
    result_.device_work = posterior().device_report();
    if (const std::string text = device_text(result_.device_work); !text.empty()) say(text);
    if (const std::string text = device_text(result_.svgd.on_device); !text.empty()) say(text);
    if (const DirectionCheck& check = result_.svgd.direction_check; check.num_checks > 0)
      say(
          fmt::format("directions in mixed precision: at most {:.1e} of their size from those in fp64, in {} checks "
                      "({:.0e} is allowed)",
                      check.worst_error, check.num_checks, kMixedTolerance));
    result_.communication = communication_;
    result_.communication_share = communication_.seconds / before;
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
  CommCost& communication_;
  Clock::time_point start_ = Clock::now();
  double process_bytes_ = process_memory().now;  ///< before anything is read
  std::vector<double> bytes_of_ranks_;           ///< predicted, for the plan
  InferenceResult result_;
  RunFile run_;
  Device device_;
  std::optional<PlannedDevice> planned_device_;
  std::optional<double> max_seconds_;
  RunCheckpoints checkpoints_;
  std::optional<FoundCheckpoint> found_;  ///< on the first rank
  std::optional<Checkpoint> resumed_;     ///< what the run goes on from
  bool is_done_ = false;
  std::exception_ptr save_failure_;
  std::vector<Stage> stages_;
  std::vector<ProblemDigests> digests_;   ///< of the stages' problems
  std::vector<std::string> model_names_;  ///< the same; on the first rank
  std::size_t stage_ = 0;
  std::vector<double> stage_seconds_;  ///< of the stages that are done
  std::optional<StagePosterior> stage_posterior_;
};

ExitCode infer(const InferOptions& options) {
  expect_to_run_again();
  CommCost communication;
  const std::unique_ptr<Communicator> ranks = open_ranks(&communication);
  if (ranks->rank() == 0) say_when_stopped_early();
  SOJOURN_EXPECTS(options.run != "-" || ranks->size() == 1, UsageError,
                  "RUN is standard input, which a launcher gives to the first of {} ranks alone; give a file",
                  ranks->size());
  std::optional<Inference> inference;
  on_all_ranks(*ranks, [&] {
    expect_variables(*ranks);
    inference.emplace(options, *ranks, communication);
  });
  on_all_ranks(*ranks, [&] { inference->share(); });
  on_all_ranks(*ranks, [&] { inference->prepare(); });
  on_all_ranks(*ranks, [&] { inference->expect_agreement(); });
  on_all_ranks(*ranks, [&] { inference->check_particles(); });
  if (options.plan) on_all_ranks(*ranks, [&] { inference->share_memory(); });
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
  add_infer_options(app, *options);
  return [options] { return infer(*options); };
}

}  // namespace sojourn::cli
