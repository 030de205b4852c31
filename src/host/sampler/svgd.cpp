#include "sojourn/svgd.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "expects.hpp"
#include "sampler/bandwidth.hpp"
#include "sampler/diagnostics.hpp"
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

/// Metric and bandwidth follow the particles at each of the first iterations and then now and then.
bool refresh_metric(std::int64_t iteration) { return iteration < 20 || iteration % 10 == 0; }

/// Moving particles: positions, values, and the metric they are seen in.
class Cloud {
 public:
  Cloud(const Target& target, const SvgdOptions& options, Start start)
      : target_(target),
        options_(options),
        x_(std::move(start.particles)),
        log_density_(std::move(start.log_density)),
        score_(std::move(start.score)),
        prior_covariance_(std::move(start.laplace_covariance)),
        whitening_(target.dimension()),
        held_(x_.num_rows(), 0),
        dx_(x_.num_rows(), x_.num_cols()),
        trial_(x_.num_rows(), x_.num_cols()),
        trial_log_density_(x_.num_rows()),
        trial_score_(x_.num_rows(), x_.num_cols()),
        u(options.num_particles, target.dimension()),
        s(options.num_particles, target.dimension()) {}

  void whiten(std::int64_t iteration) {
    const bool refresh = refresh_metric(iteration);
    if (refresh) update_metric();
    whitening_.points(x_.view(), u);
    whitening_.scores(score_.view(), s);
    if (!refresh) return;
    double h = options_.bandwidth;
    if (options_.bandwidth_rule == BandwidthRule::kMedian) {
      h = options_.bandwidth_scale * median_bandwidth_of(u);
      // More than half of the pairs coincide: any positive width lets the others repel.
      if (h <= 0) h = 1e-3;
    }
    inverse_h2_ = 1 / (h * h);
  }

  /// Moves by whitened steps, shortening the step of a particle whose end cannot be evaluated.
  void move(const ParticleBlock& du, std::int64_t iteration) {
    whitening_.steps_back(du, dx_.view());
    const std::size_t count = x_.num_rows();
    for (std::size_t k = 0; k < x_.size(); ++k) trial_.values()[k] = x_.values()[k] + dx_.values()[k];
    const auto begin = Clock::now();
    std::vector<std::string> status(count);
    target_.evaluate(trial_.view(), trial_log_density_, trial_score_.view(), status);
    for (std::size_t i = 0; i < count; ++i)
      if (finite_row(trial_log_density_[i], trial_score_.row(i)))
        held_[i] = 0;
      else
        shorten(i, iteration, status[i]);
    facts.num_steps += static_cast<std::int64_t>(count);
    seconds_scores += seconds_since(begin);
    std::swap(x_, trial_);
    std::swap(log_density_, trial_log_density_);
    std::swap(score_, trial_score_);
    measure_step();
  }

  [[nodiscard]] double mean_log_density() const { return mean_of(log_density_); }
  [[nodiscard]] double inverse_h2() const { return inverse_h2_; }
  [[nodiscard]] const Matrix<double>& particles() const { return x_; }
  void finish(SvgdResult& result) {
    result.particles = std::move(x_);
    result.log_density = std::move(log_density_);
    result.score = std::move(score_);
  }

 private:
  void update_metric() {
    std::vector<double> centre = particle_mean(x_.view());
    const Matrix<double> covariance = particle_covariance(x_.view(), centre);
    sd_.resize(centre.size());
    for (std::size_t c = 0; c < centre.size(); ++c) sd_[c] = std::sqrt(covariance(c, c));
    if (!options_.whiten) return;
    // A few particles' worth of the Laplace covariance, or of the diagonal, keeps the metric definite for small n.
    const auto n = static_cast<double>(x_.num_rows());
    const auto extra = static_cast<double>(centre.size() + 1);
    Matrix<double> mixed(centre.size(), centre.size());
    for (std::size_t a = 0; a < centre.size(); ++a)
      for (std::size_t b = 0; b < centre.size(); ++b) {
        const double anchor = !prior_covariance_.empty() ? prior_covariance_(a, b) : a == b ? covariance(a, a) : 0.0;
        mixed(a, b) = (n * covariance(a, b) + extra * anchor) / (n + extra);
      }
    if (auto metric = Whitening::from_covariance(mixed.view(), std::move(centre))) whitening_ = std::move(*metric);
  }

  void shorten(std::size_t i, std::int64_t iteration, std::string status) {
    ++facts.num_rejected_steps;
    const std::size_t dim = x_.num_cols();
    Matrix<double> z(1, dim);
    Matrix<double> score(1, dim);
    std::vector<double> log_density(1);
    std::vector<std::string> one_status(1);
    double factor = 1;
    for (int halving = 0; halving < kMaxHalvings; ++halving) {
      factor *= 0.5;
      for (std::size_t c = 0; c < dim; ++c) z(0, c) = x_(i, c) + factor * dx_(i, c);
      one_status[0].clear();
      target_.evaluate(z.view(), log_density, score.view(), one_status);
      if (!finite_row(log_density[0], score.row(0))) continue;
      std::ranges::copy(z.row(0), trial_.row(i).begin());
      std::ranges::copy(score.row(0), trial_score_.row(i).begin());
      trial_log_density_[i] = log_density[0];
      held_[i] = 0;
      return;
    }
    if (++held_[i] >= kMaxHeldIterations) {
      if (status.empty()) status = "not finite";
      throw ParticleError(
          fmt::format(
              "svgd: particle {} at z = {}, iteration {}: the log density is {} ({}), also after {} halvings of its "
              "step from z = {} and for {} iterations in a row; use a smaller learning rate, a tighter prior or "
              "another start",
              i, format_position(trial_.row(i)), iteration, trial_log_density_[i], status, kMaxHalvings,
              format_position(x_.row(i)), kMaxHeldIterations),
          static_cast<std::int64_t>(i), iteration, trial_.row(i), x_.row(i), status);
    }
    std::ranges::copy(x_.row(i), trial_.row(i).begin());
    std::ranges::copy(score_.row(i), trial_score_.row(i).begin());
    trial_log_density_[i] = log_density_[i];
  }

  void measure_step() {
    facts.largest_last_step = 0;
    for (std::size_t i = 0; i < x_.num_rows(); ++i)
      for (std::size_t c = 0; c < x_.num_cols(); ++c)
        if (sd_[c] > 0)
          facts.largest_last_step = std::max(facts.largest_last_step, std::abs(x_(i, c) - trial_(i, c)) / sd_[c]);
  }

  const Target& target_;
  const SvgdOptions& options_;
  Matrix<double> x_;
  std::vector<double> log_density_;
  Matrix<double> score_;
  Matrix<double> prior_covariance_;
  Whitening whitening_;
  std::vector<double> sd_;
  std::vector<int> held_;  ///< iterations in a row that particle could not move
  double inverse_h2_ = 1;
  Matrix<double> dx_, trial_;
  std::vector<double> trial_log_density_;
  Matrix<double> trial_score_;

 public:
  ParticleBlock u, s;  ///< whitened particles and scores
  RunFacts facts;
  double seconds_scores = 0;
};

/// Completes the result of a run that was stopped in its start: particles that have not moved.
SvgdResult unmoved_result(const Target& target, const SvgdOptions& options, Start start, SvgdResult result) {
  const char* drawn = options.start == StartKind::kGiven ? "the particles it was given" : "around the modes it found";
  if (start.particles.empty()) {
    start.particles = Matrix<double>(options.num_particles, target.dimension());
    target.sample_prior(options.seed, start.particles.view());
  }
  if (options.start != StartKind::kGiven && start.map.empty()) drawn = "drawn from the prior";
  result.map = std::move(start.map);
  result.laplace_covariance = std::move(start.laplace_covariance);
  if (options.history_every > 0) result.history.push_back({0, start.particles});
  result.particles = std::move(start.particles);
  result.log_density = std::move(start.log_density);
  result.score = std::move(start.score);
  result.interrupted = true;
  result.diagnostics = {{"iterations", 0, "FAIL",
                         fmt::format("The run was stopped before its first iteration: the particles are {} and say "
                                     "nothing about the posterior yet; give the run more time.",
                                     drawn)}};
  return result;
}

}  // namespace

SvgdResult run_svgd(const Target& target, const SvgdOptions& options, const SvgdProgressFunction& progress,
                    const DirectionFunction& direction, const ClockFunction& clock, int num_ranks) {
  const auto begin = Clock::now();
  check_options(options, target.dimension());
  SvgdResult result;
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const auto go_on = [&](double mean_log_density) {
    return !progress || progress({0, options.num_iterations, seconds_since(begin), unknown, mean_log_density, unknown});
  };
  Start start;
  bool stopped = false;
  try {
    const auto turn =
        static_cast<std::size_t>(num_ranks) * static_cast<std::size_t>(resolve_threads(options.num_threads));
    make_start(WatchedTarget(
                   target, [&] { return go_on(unknown); }, turn, clock),
               options, start);
  } catch (const WatchedTarget::Stopped&) {
    stopped = true;
    start.log_density.assign(static_cast<std::size_t>(options.num_particles), unknown);
    start.score = Matrix<double>(start.log_density.size(), static_cast<std::size_t>(target.dimension()), unknown);
  }
  if (stopped || !go_on(mean_of(start.log_density))) {
    result.seconds_start = result.seconds_total = seconds_since(begin);
    return unmoved_result(target, options, std::move(start), std::move(result));
  }
  result.map = start.map;
  result.laplace_covariance = start.laplace_covariance;
  RunFacts facts;
  facts.start_failure = start.failure;
  facts.num_modes = start.num_modes;
  facts.num_start_repairs = start.num_repairs;
  Cloud cloud(target, options, std::move(start));
  cloud.facts = facts;
  result.seconds_start = seconds_since(begin);

  StepRule step_rule(options, options.num_particles, target.dimension());
  ParticleBlock phi(options.num_particles, target.dimension());
  const auto loop_begin = Clock::now();
  double last_report = progress ? clock() : 0;
  if (options.history_every > 0) result.history.push_back({0, cloud.particles()});
  for (std::int64_t iteration = 0; iteration < options.num_iterations; ++iteration) {
    const auto kernel_begin = Clock::now();
    cloud.whiten(iteration);
    direction(cloud.u, cloud.s, cloud.inverse_h2(), phi);
    if (options.whiten && options.linear_weight > 0) add_linear_direction(cloud.u, cloud.s, options.linear_weight, phi);
    step_rule.apply(iteration, cloud.u, phi);
    result.seconds_kernel += seconds_since(kernel_begin);
    cloud.move(phi, iteration);
    const std::int64_t done = iteration + 1;
    result.iterations_done = done;
    result.trace_mean_log_density.push_back(cloud.mean_log_density());
    result.trace_step.push_back(cloud.facts.largest_last_step);
    if (options.history_every > 0 && (done % options.history_every == 0 || done == options.num_iterations))
      result.history.push_back({done, cloud.particles()});
    if (!progress) continue;
    if (const double now = clock(); done == options.num_iterations || now - last_report >= kSecondsBetweenReports) {
      last_report = now;
      const double seconds = seconds_since(begin);
      const double left =
          seconds_since(loop_begin) / static_cast<double>(done) * static_cast<double>(options.num_iterations - done);
      if (!progress({done, options.num_iterations, seconds, left, result.trace_mean_log_density.back(),
                     result.trace_step.back()})) {
        result.interrupted = done < options.num_iterations;
        break;
      }
    }
  }
  result.seconds_scores = cloud.seconds_scores;
  facts = cloud.facts;
  cloud.finish(result);
  result.diagnostics = diagnose(result.particles.view(), result.score.view(), facts, options.num_threads);
  result.seconds_total = seconds_since(begin);
  return result;
}

SvgdResult svgd(const Target& target, const SvgdOptions& options, const SvgdProgressFunction& progress) {
  return run_svgd(target, options, progress,
                  [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi) {
                    kernel_direction(options.kernel, u, s, inverse_h2, options.num_threads, phi);
                  });
}

}  // namespace sojourn
