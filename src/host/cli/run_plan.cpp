#include "cli/run_plan.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/json_writer.hpp"
#include "cli/text_table.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Arrays of n x d doubles that the sampler and the optimiser hold at once: particles, scores, direction, moments, ...
constexpr double kSamplerArrays = 12;
/// Steps of the search for the mode, each an evaluation of a few points.
constexpr double kStartEvaluations = 100;

double time_scores(const Posterior& posterior, std::int64_t num_particles, std::uint64_t seed) {
  const auto n = static_cast<std::size_t>(num_particles);
  const auto d = static_cast<std::size_t>(posterior.dimension());
  Matrix<double> z(n, d), score(n, d);
  std::vector<double> log_density(n);
  std::vector<std::string> status(n);
  posterior.sample_prior(seed, z.view());
  const auto start = Clock::now();
  posterior.evaluate(z.view(), log_density, score.view(), status);
  return seconds_since(start);
}

double time_kernel(std::int64_t num_particles, std::int64_t dimension, Kernel kernel, int num_threads) {
  const auto n = static_cast<std::size_t>(num_particles), d = static_cast<std::size_t>(dimension);
  Matrix<double> particles(n, d), scores(n, d, 1.0), direction(n, d);
  for (std::size_t i = 0; i < n * d; ++i) particles.values()[i] = std::sin(static_cast<double>(i));
  const auto start = Clock::now();
  svgd_direction(kernel, 1.0, {}, particles.view(), scores.view(), direction.view(), num_threads);
  return seconds_since(start);
}

}  // namespace

double sampler_bytes(const SvgdOptions& options, std::int64_t dimension) {
  const double matrix = 8.0 * static_cast<double>(options.num_particles) * static_cast<double>(dimension);
  const double frames =
      options.history_every > 0
          ? std::floor(static_cast<double>(options.num_iterations) / static_cast<double>(options.history_every)) + 1
          : 0;
  return matrix * (kSamplerArrays + frames);
}

void check_memory(const SvgdOptions& options, std::int64_t dimension) {
  const double needed = sampler_bytes(options, dimension);
  const double present = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  SOJOURN_EXPECTS(present <= 0 || needed <= present, UsageError,
                  "{} particles in {} dimensions need about {} of memory, this machine has {}; use fewer particles{}",
                  options.num_particles, dimension, format_bytes(needed), format_bytes(present),
                  options.history_every > 0 ? " or a larger history_every" : "");
}

RunPlan plan_run(const Posterior& posterior, const SvgdOptions& options, int num_threads) {
  RunPlan plan;
  plan.num_particles = options.num_particles;
  plan.num_iterations = options.num_iterations;
  plan.num_threads = num_threads;
  // The first batch warms caches; a larger one follows where that costs little.
  std::int64_t batch = std::min<std::int64_t>(options.num_particles, 2 * num_threads);
  double seconds = time_scores(posterior, batch, options.seed);
  const double lone = seconds;
  while (seconds < 0.25 && batch < options.num_particles) {
    batch = std::min(options.num_particles, 4 * batch);
    seconds = time_scores(posterior, batch, options.seed);
  }
  plan.seconds_per_evaluation = seconds / static_cast<double>(batch);
  const std::int64_t kernel_batch = std::min<std::int64_t>(options.num_particles, 1000);
  const double pairs = std::pow(static_cast<double>(options.num_particles) / static_cast<double>(kernel_batch), 2);
  const double num_iterations = static_cast<double>(options.num_iterations);
  plan.seconds_kernel =
      num_iterations * pairs * time_kernel(kernel_batch, posterior.dimension(), options.kernel, num_threads);
  plan.seconds_scores = num_iterations * static_cast<double>(options.num_particles) * plan.seconds_per_evaluation;
  plan.seconds_start = options.start == StartKind::kLaplace ? kStartEvaluations * lone : 0;
  plan.seconds_total = plan.seconds_start + plan.seconds_scores + plan.seconds_kernel;
  plan.bytes = sampler_bytes(options, posterior.dimension());
  return plan;
}

std::string plan_json(const RunPlan& plan) {
  JsonWriter json;
  json.begin_object().member("particles", plan.num_particles).member("iterations", plan.num_iterations);
  json.member("threads", plan.num_threads).member("seconds_per_evaluation", plan.seconds_per_evaluation);
  json.member("predicted_seconds_start", plan.seconds_start).member("predicted_seconds_scores", plan.seconds_scores);
  json.member("predicted_seconds_kernel", plan.seconds_kernel).member("predicted_seconds", plan.seconds_total);
  json.member("predicted_bytes", plan.bytes);
  return json.end_object().take();
}

std::string plan_text(const RunPlan& plan) {
  return fmt::format(
      "{} particles, {} iterations, {} thread{}\n"
      "one evaluation      {:.3g} ms per particle (measured at draws from the prior)\n"
      "predicted time      about {} (start {}, scores {}, kernel {})\n"
      "predicted memory    about {} for particles, scores and history\n"
      "nothing was run; leave --plan out to run it\n",
      format_count(plan.num_particles), format_count(plan.num_iterations), plan.num_threads,
      plan.num_threads == 1 ? "" : "s", 1e3 * plan.seconds_per_evaluation, format_duration(plan.seconds_total),
      format_duration(plan.seconds_start), format_duration(plan.seconds_scores), format_duration(plan.seconds_kernel),
      format_bytes(plan.bytes));
}

}  // namespace sojourn::cli
