#include "sojourn/svgd.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "common/svgd_metric.hpp"
#include "common/svgd_step.hpp"
#include "expects.hpp"
#include "sampler/bandwidth.hpp"
#include "sampler/diagnostics.hpp"
#include "sampler/direction_sums.hpp"
#include "sampler/kernel_sum.hpp"
#include "sampler/optimizer.hpp"
#include "sampler/start.hpp"
#include "sampler/svgd_run.hpp"
#include "sampler/watched_target.hpp"
#include "sampler/whitening.hpp"

namespace sojourn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Shortened steps tried when a particle meets a non-finite log density; after that it stays where it is, and a
/// particle that could not move this many iterations in a row ends the run.
constexpr int kMaxHalvings = 8;
constexpr int kMaxHeldIterations = 5;
constexpr double kSecondsBetweenReports = 0.1;
/// An iteration as long as this can be stopped inside, where the state before it is the run's.
constexpr double kSecondsOfSlowIteration = 1;
/// Of iterations that a device does at once.
constexpr double kSecondsPerTurn = 0.05;
/// Iterations on a device between two checks of mixed precision, at least.
constexpr std::int64_t kCheckEvery = 50;

void set_metric(SvgdState& state, const Whitening& metric) {
  state.metric_factor = Matrix<double>(metric.factor().num_rows(), metric.factor().num_cols());
  std::copy_n(metric.factor().data(), state.metric_factor.size(), state.metric_factor.values().begin());
  state.metric_centre = metric.centre();
}

/// Takes a state through its iterations. What it holds beside the state is scratch, filled in each iteration before it
/// is read: nothing that an iteration leaves to the next may live here.
class Cloud {
 public:
  Cloud(const Target& target, const SvgdOptions& options, SvgdState& state)
      : target_(&target),
        options_(options),
        state_(state),
        steps_{{},
               Matrix<double>(state.particles.num_rows(), state.particles.num_cols()),
               Matrix<double>(state.particles.num_rows(), state.particles.num_cols()),
               std::vector<double>(state.particles.num_rows()),
               Matrix<double>(state.particles.num_rows(), state.particles.num_cols())},
        u_(options.num_particles, target.dimension()),
        s_(options.num_particles, target.dimension()),
        phi_(options.num_particles, target.dimension()) {}

  /// One iteration, with steps that `watched` evaluates. Where it throws Stopped the state is again what it was.
  /// Returns whether the iteration is done.
  bool advance_watched(const DirectionFunction& direction, const WatchedTarget& watched) {
    const Target& own = *std::exchange(target_, &watched);
    Matrix<double> factor = state_.metric_factor, first = state_.first_moment, second = state_.second_moment;
    std::vector<double> centre = state_.metric_centre, sd = state_.sd;
    std::vector<std::int64_t> held = state_.held;
    SvgdFacts facts = state_.facts;
    const double inverse_h2 = state_.inverse_h2;
    bool done = true;
    try {
      advance(direction);
    } catch (const WatchedTarget::Stopped&) {
      // Particles, log densities and scores change when all steps are evaluated.
      state_.metric_factor = std::move(factor);
      state_.metric_centre = std::move(centre);
      state_.sd = std::move(sd);
      state_.inverse_h2 = inverse_h2;
      state_.first_moment = std::move(first);
      state_.second_moment = std::move(second);
      state_.held = std::move(held);
      state_.facts = std::move(facts);
      done = false;
    }
    target_ = &own;
    return done;
  }

  /// One iteration.
  void advance(const DirectionFunction& direction) {
    const auto kernel_begin = Clock::now();
    whiten();
    direction(u_, s_, state_.inverse_h2, phi_);
    if (options_.whiten && options_.linear_weight > 0) add_linear_direction(u_, s_, options_.linear_weight, phi_);
    apply_step_rule(options_, state_.iteration, u_, state_.first_moment, state_.second_moment, phi_);
    metric().steps_back(phi_, steps_.step.view());
    state_.seconds_kernel += seconds_since(kernel_begin);
    move();
    ++state_.iteration;
    state_.trace_mean_log_density.push_back(mean_of(state_.log_density));
    state_.trace_step.push_back(state_.facts.largest_last_step);
    keep_history();
  }

  /// Up to `most` iterations by a device's cloud that holds this state, and `meanwhile` while they are under way; the
  /// state follows with its numbers, its arrays when they are saved. Returns whether particles had to be finished here.
  bool advance_on(DeviceCloud& device, std::int64_t most, const std::function<void()>& meanwhile) {
    const auto begin = Clock::now();
    const std::int64_t before = state_.iteration;
    device.begin_turn(most);
    const auto begun = Clock::now();
    // What is under way is waited for, whatever happens beside it.
    std::exception_ptr failure;
    try {
      meanwhile();
    } catch (...) {
      failure = std::current_exception();
    }
    const double seconds_meanwhile = seconds_since(begun);
    const CloudProgress progress = device.end_turn();
    if (failure) std::rethrow_exception(failure);
    follow(progress);
    if (state_.iteration > before) std::ranges::fill(state_.held, 0);
    if (progress.halted) {
      device.save(state_);
      device.open_steps(steps_);
      settle();
      follow(device.settle(steps_));
    }
    state_.seconds_scores += seconds_since(begin) - seconds_meanwhile;
    return progress.halted;
  }

  [[nodiscard]] bool is_history_due() const {
    return options_.history_every > 0 && state_.iteration % options_.history_every == 0;
  }
  void keep_history() {
    if (is_history_due()) state_.history.push_back({state_.iteration, state_.particles});
  }

 private:
  [[nodiscard]] Whitening metric() const { return {state_.metric_factor.view(), state_.metric_centre}; }

  void whiten() {
    const bool refresh = svgd_step::refreshes_metric(state_.iteration);
    if (refresh) update_metric();
    const Whitening whitening = metric();
    whitening.points(state_.particles.view(), u_);
    whitening.scores(state_.score.view(), s_);
    if (!refresh) return;
    double h = options_.bandwidth;
    if (options_.bandwidth_rule == BandwidthRule::kMedian) {
      h = options_.bandwidth_scale * median_bandwidth_of(u_);
      // More than half of the pairs coincide: any positive width lets the others repel.
      if (h <= 0) h = 1e-3;
    }
    state_.inverse_h2 = 1 / (h * h);
  }

  void follow(const CloudProgress& progress) {
    const std::vector<double>&means = progress.mean_log_density, &steps = progress.largest_step;
    state_.trace_mean_log_density.insert(state_.trace_mean_log_density.end(), means.begin(), means.end());
    state_.trace_step.insert(state_.trace_step.end(), steps.begin(), steps.end());
    state_.iteration += std::ssize(steps);
    state_.facts.num_steps += std::ssize(steps) * std::ssize(state_.log_density);
    if (!steps.empty()) state_.facts.largest_last_step = steps.back();
  }

  /// Moves by `steps_.step`, shortening the step of a particle whose end cannot be evaluated.
  void move() {
    Matrix<double>& x = state_.particles;
    const std::size_t count = x.num_rows();
    for (std::size_t k = 0; k < x.size(); ++k) steps_.to.values()[k] = x.values()[k] + steps_.step.values()[k];
    const auto begin = Clock::now();
    std::vector<std::string> status(count);
    target_->evaluate(steps_.to.view(), steps_.log_density, steps_.score.view(), status);
    for (std::size_t i = 0; i < count; ++i) finish_step(i, status[i]);
    state_.facts.num_steps += static_cast<std::int64_t>(count);
    state_.seconds_scores += seconds_since(begin);
    std::swap(x, steps_.to);
    std::swap(state_.log_density, steps_.log_density);
    std::swap(state_.score, steps_.score);
    measure_step();
  }

  /// Evaluates the open particles of `steps_` and shortens the steps of those that cannot be.
  void settle() {
    const std::size_t count = steps_.open.size(), dim = steps_.to.num_cols();
    Matrix<double> z(count, dim), score(count, dim);
    std::vector<double> log_density(count);
    std::vector<std::string> status(count);
    for (std::size_t k = 0; k < count; ++k)
      std::ranges::copy(steps_.to.row(static_cast<std::size_t>(steps_.open[k])), z.row(k).begin());
    target_->evaluate(z.view(), log_density, score.view(), status);
    std::vector<std::int64_t> held(state_.held.size(), 0);
    for (const std::int64_t i : steps_.open)
      held[static_cast<std::size_t>(i)] = state_.held[static_cast<std::size_t>(i)];
    state_.held = std::move(held);
    for (std::size_t k = 0; k < count; ++k) {
      const auto i = static_cast<std::size_t>(steps_.open[k]);
      steps_.log_density[i] = log_density[k];
      std::ranges::copy(score.row(k), steps_.score.row(i).begin());
      finish_step(i, status[k]);
    }
  }

  void finish_step(std::size_t i, const std::string& status) {
    if (finite_row(steps_.log_density[i], steps_.score.row(i)))
      state_.held[i] = 0;
    else
      shorten(i, status);
  }

  void update_metric() {
    std::vector<double> centre = particle_mean(state_.particles.view());
    const Matrix<double> covariance = particle_covariance(state_.particles.view(), centre);
    state_.sd.resize(centre.size());
    for (std::size_t c = 0; c < centre.size(); ++c) state_.sd[c] = std::sqrt(covariance(c, c));
    if (!options_.whiten) return;
    const auto n = static_cast<double>(state_.particles.num_rows());
    const Matrix<double>& known = state_.laplace_covariance;
    const double* const laplace = known.empty() ? nullptr : known.values().data();
    Matrix<double> mixed(centre.size(), centre.size());
    for (std::size_t a = 0; a < centre.size(); ++a)
      for (std::size_t b = 0; b < centre.size(); ++b)
        mixed(a, b) = svgd_metric::anchored_covariance(static_cast<int>(centre.size()), n, covariance.values().data(),
                                                       laplace, static_cast<int>(a), static_cast<int>(b));
    if (const auto metric = Whitening::from_covariance(mixed.view(), std::move(centre))) set_metric(state_, *metric);
  }

  void shorten(std::size_t i, std::string status) {
    const Matrix<double>& x = state_.particles;
    ++state_.facts.num_rejected_steps;
    const std::size_t dim = x.num_cols();
    Matrix<double> z(1, dim);
    Matrix<double> score(1, dim);
    std::vector<double> log_density(1);
    std::vector<std::string> one_status(1);
    double factor = 1;
    for (int halving = 0; halving < kMaxHalvings; ++halving) {
      factor *= 0.5;
      for (std::size_t c = 0; c < dim; ++c) z(0, c) = x(i, c) + factor * steps_.step(i, c);
      one_status[0].clear();
      target_->evaluate(z.view(), log_density, score.view(), one_status);
      if (!finite_row(log_density[0], score.row(0))) continue;
      std::ranges::copy(z.row(0), steps_.to.row(i).begin());
      std::ranges::copy(score.row(0), steps_.score.row(i).begin());
      steps_.log_density[i] = log_density[0];
      state_.held[i] = 0;
      return;
    }
    if (++state_.held[i] >= kMaxHeldIterations) {
      if (status.empty()) status = "not finite";
      throw ParticleError(
          fmt::format(
              "svgd: particle {} at z = {}, iteration {}: the log density is {} ({}), also after {} halvings of its "
              "step from z = {} and for {} iterations in a row; use a smaller learning rate, a tighter prior or "
              "another start",
              i, format_position(steps_.to.row(i)), state_.iteration, steps_.log_density[i], status, kMaxHalvings,
              format_position(x.row(i)), kMaxHeldIterations),
          static_cast<std::int64_t>(i), state_.iteration, steps_.to.row(i), x.row(i), status);
    }
    std::ranges::copy(x.row(i), steps_.to.row(i).begin());
    std::ranges::copy(state_.score.row(i), steps_.score.row(i).begin());
    steps_.log_density[i] = state_.log_density[i];
  }

  void measure_step() {
    const Matrix<double>& x = state_.particles;
    double& largest = state_.facts.largest_last_step;
    largest = 0;
    for (std::size_t i = 0; i < x.num_rows(); ++i)
      for (std::size_t c = 0; c < x.num_cols(); ++c)
        if (state_.sd[c] > 0) largest = std::max(largest, std::abs(x(i, c) - steps_.to(i, c)) / state_.sd[c]);
  }

  const Target* target_;  ///< what evaluates steps
  const SvgdOptions& options_;
  SvgdState& state_;
  OpenSteps steps_;
  ParticleBlock u_, s_, phi_;  ///< whitened particles and scores, and their direction
};

/// The state of a run before its first iteration.
SvgdState first_state(const SvgdOptions& options, std::int32_t dimension, Start start) {
  SvgdState state;
  const auto n = static_cast<std::size_t>(options.num_particles), d = static_cast<std::size_t>(dimension);
  state.particles = std::move(start.particles);
  state.log_density = std::move(start.log_density);
  state.score = std::move(start.score);
  set_metric(state, Whitening(dimension));
  state.held.assign(n, 0);
  if (options.optimizer == Optimizer::kAdam) state.first_moment = state.second_moment = Matrix<double>(d, n);
  state.facts.start_failure = std::move(start.failure);
  state.facts.num_modes = static_cast<std::int64_t>(start.num_modes);
  state.facts.num_start_repairs = start.num_repairs;
  state.map = std::move(start.map);
  state.laplace_covariance = std::move(start.laplace_covariance);
  if (options.history_every > 0 && !state.particles.empty()) state.history.push_back({0, state.particles});
  return state;
}

/// Everything of a result that stands in the state.
SvgdResult result_of(SvgdState state) {
  SvgdResult result;
  result.particles = std::move(state.particles);
  result.log_density = std::move(state.log_density);
  result.score = std::move(state.score);
  result.history = std::move(state.history);
  result.trace_mean_log_density = std::move(state.trace_mean_log_density);
  result.trace_step = std::move(state.trace_step);
  result.map = std::move(state.map);
  result.laplace_covariance = std::move(state.laplace_covariance);
  result.iterations_done = state.iteration;
  result.seconds_start = state.seconds_start;
  result.seconds_scores = state.seconds_scores;
  result.seconds_kernel = state.seconds_kernel;
  result.seconds_total = state.seconds_total;
  return result;
}

/// The result of a run that was stopped before its first iteration: particles that have not moved.
SvgdResult unmoved_result(const Target& target, const SvgdOptions& options, SvgdState state) {
  const char* drawn = options.start == StartKind::kGiven ? "the particles it was given" : "around the modes it found";
  if (options.start != StartKind::kGiven && state.map.empty()) drawn = "drawn from the prior";
  if (state.particles.empty()) {
    state.particles = Matrix<double>(options.num_particles, target.dimension());
    target.sample_prior(options.seed, state.particles.view());
    if (options.history_every > 0) state.history.push_back({0, state.particles});
  }
  SvgdResult result = result_of(std::move(state));
  result.interrupted = true;
  result.diagnostics = {{"iterations", 0, "FAIL",
                         fmt::format("The run was stopped before its first iteration: the particles are {} and say "
                                     "nothing about the posterior yet; give the run more time.",
                                     drawn)}};
  return result;
}

/// The result of a run that has moved.
SvgdResult moved_result(const SvgdOptions& options, SvgdState state) {
  const SvgdFacts facts = state.facts;
  SvgdResult result = result_of(std::move(state));
  result.interrupted = result.iterations_done < options.num_iterations;
  // The state keeps to the frames that a longer run would have too.
  if (options.history_every > 0 && !result.interrupted && result.history.back().iteration != result.iterations_done)
    result.history.push_back({result.iterations_done, result.particles});
  result.diagnostics = diagnose(result.particles.view(), result.score.view(), facts, options.num_threads);
  return result;
}

/// Iterations until somebody is to see the state.
std::int64_t iterations_until_due(std::int64_t iteration, const SvgdOptions& options, const SvgdControl& control) {
  std::int64_t due = options.num_iterations - iteration;
  for (const std::int64_t every : {control.report_every, options.history_every})
    if (every > 0) due = std::min(due, every - iteration % every);
  return due;
}

std::int64_t iterations_in(double seconds, double seconds_of_one) {
  const double count = seconds / std::max(seconds_of_one, 1e-9);
  return static_cast<std::int64_t>(std::clamp(count, 1.0, static_cast<double>(DeviceCloud::most_at_once())));
}

}  // namespace

SvgdResult run_svgd(const Target& target, const SvgdOptions& options, const SvgdControl& control,
                    const DirectionFunction& direction, const ClockFunction& clock, int num_ranks) {
  const auto begin = Clock::now();
  check_options(options, target.dimension());
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const SvgdProgressFunction& progress = control.progress;
  SvgdState state;
  if (control.resume != nullptr) {
    const std::string fault = fault_of(*control.resume, options, target.dimension());
    SOJOURN_EXPECTS(fault.empty(), UsageError, "svgd: the state to resume from is not one of this run: {}", fault);
    state = *control.resume;
  }
  const double seconds_before = state.seconds_total;
  const auto count_seconds = [&] { state.seconds_total = seconds_before + seconds_since(begin); };

  const auto turn =
      static_cast<std::size_t>(num_ranks) * static_cast<std::size_t>(resolve_threads(options.num_threads));
  // Whether evaluations take long is seen in the start; a run that goes on finds out in its first iteration.
  bool is_slow = true;
  if (state.particles.empty()) {
    const double start_begin = progress ? clock() : 0;
    const auto go_on = [&] {
      return !progress || progress({0, options.num_iterations, seconds_since(begin), unknown, unknown, unknown});
    };
    const double seconds_start = state.seconds_start;
    Start start;
    bool stopped = false;
    try {
      make_start(WatchedTarget(target, go_on, turn, clock), options, start);
    } catch (const WatchedTarget::Stopped&) {
      stopped = true;
      start.log_density.assign(static_cast<std::size_t>(options.num_particles), unknown);
      start.score = Matrix<double>(start.log_density.size(), static_cast<std::size_t>(target.dimension()), unknown);
    }
    state = first_state(options, target.dimension(), std::move(start));
    state.seconds_start = seconds_start + seconds_since(begin);
    count_seconds();
    if (stopped) return unmoved_result(target, options, std::move(state));
    is_slow = progress && clock() - start_begin > kSecondsOfSlowIteration;
  }

  const std::int64_t first = state.iteration;
  const auto loop_begin = Clock::now();
  const auto go_on = [&] {
    if (!progress) return true;
    count_seconds();
    const bool moved = state.iteration > 0;
    const double left = seconds_since(loop_begin) / static_cast<double>(state.iteration - first) *
                        static_cast<double>(options.num_iterations - state.iteration);
    // The state's own log densities may still be on a device.
    return progress({state.iteration, options.num_iterations, seconds_since(begin),
                     state.iteration > first ? left : unknown,
                     moved ? state.trace_mean_log_density.back() : mean_of(state.log_density),
                     moved ? state.trace_step.back() : unknown});
  };
  const auto is_wanted = [&] { return control.wants_state && control.wants_state(state.iteration); };
  const auto hand_out = [&] {
    count_seconds();
    if (control.take_state) control.take_state(state);
  };
  bool going = go_on();
  if (going && is_wanted()) hand_out();
  Cloud cloud(target, options, state);
  DeviceIterations on_device;
  std::unique_ptr<DeviceCloud> resident;
  if (control.device != nullptr) {
    if (going) resident = target.cloud_on_device(options, on_device.why_not_resident);
    if (resident) resident->load(state);
  }
  double last_report = progress || control.wants_state ? clock() : 0, last_iteration = last_report;
  std::optional<WatchedTarget> watched;
  std::int64_t most = 1, next_check = state.iteration;
  DirectionCheck direction_check;
  // What is on its way from the device, of the iteration that the state's numbers are of until the next turn ends.
  struct {
    bool any = false, history = false, wanted = false;
  } coming;
  const auto receive = [&] {
    if (!coming.any) return;
    resident->end_save(state);
    if (coming.history) cloud.keep_history();
    if (coming.wanted) hand_out();
    coming = {};
  };
  while (going && state.iteration < options.num_iterations) {
    if (resident) {
      const std::int64_t before = state.iteration;
      // Ranks have turns of as many iterations: whatever time decides is decided by their common clock.
      const double turn = clock();
      const std::int64_t due = iterations_until_due(state.iteration, options, control);
      const bool is_measured = !coming.any;
      on_device.num_halts += cloud.advance_on(*resident, std::min(most, due), receive) ? 1 : 0;
      const auto done = static_cast<double>(state.iteration - before);
      on_device.num_resident += state.iteration - before;
      if (options.precision == DirectionPrecision::kMixed && state.iteration > next_check) {
        note_check(resident->direction_error(), direction_check);
        next_check = state.iteration + kCheckEvery;
      }
      // A turn beside which the host wrote a checkpoint says nothing of the device.
      const double now = clock();
      if (is_measured || most == 1) most = iterations_in(kSecondsPerTurn, (now - turn) / done);
      coming.history = cloud.is_history_due();
    } else if (progress && is_slow) {
      if (!watched) watched.emplace(target, go_on, turn, clock, kSecondsOfSlowIteration);
      going = cloud.advance_watched(direction, *watched);
      if (!going) break;
    } else {
      cloud.advance(direction);
    }
    if (progress || control.wants_state) {
      const double now = clock();
      is_slow = now - std::exchange(last_iteration, now) > kSecondsOfSlowIteration;
      if (state.iteration == options.num_iterations || now - last_report >= kSecondsBetweenReports ||
          (control.report_every > 0 && state.iteration % control.report_every == 0)) {
        last_report = now;
        going = go_on();
        coming.wanted = going && is_wanted();
      }
    }
    coming.any = resident && (coming.history || coming.wanted);
    if (coming.any) {
      resident->begin_save();
    } else if (coming.wanted) {
      hand_out();
      coming = {};
    }
  }
  if (resident && !coming.any) resident->begin_save();
  coming.any = resident != nullptr;
  receive();
  count_seconds();
  if (control.finish) control.finish(state);
  if (state.iteration == 0) return unmoved_result(target, options, std::move(state));
  SvgdResult result = moved_result(options, std::move(state));
  on_device.num_directions = on_device.num_resident;
  result.on_device = std::move(on_device);
  result.direction_check = direction_check;
  result.seconds_total = seconds_before + seconds_since(begin);
  return result;
}

SvgdResult svgd(const Target& target, const SvgdOptions& options, const SvgdControl& control) {
  DirectionSums sums(control.device, options, target.dimension());
  SvgdResult result = run_svgd(target, options, control,
                               [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                   ParticleBlock& phi) { sums.sum(u, s, inverse_h2, 0, u.count, phi); });
  sums.add_to(result.on_device);
  sums.add_to(result.direction_check);
  return result;
}

SvgdResult svgd(const Target& target, const SvgdOptions& options, const SvgdProgressFunction& progress) {
  return svgd(target, options, SvgdControl{.progress = progress});
}

}  // namespace sojourn
