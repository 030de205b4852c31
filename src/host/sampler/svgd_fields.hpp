#pragma once

#include <cstdint>

#include "sojourn/svgd.hpp"

namespace sojourn {

/// What an option of a run does to it.
enum class OptionRole : std::uint8_t {
  kDecides,  ///< other particles after the same number of iterations
  kLength,   ///< how many iterations there are
  kWork,     ///< how the work is done: the bits stay
};

/// Calls `visit(name, value, role)` for every option, by the name that it has in a run file. An option that is added
/// and not named here stops this from compiling, so that whoever compares, digests or lists options forgets none.
template <class Options, class Visit>
void visit_options(Options& options, Visit&& visit) {
  auto& [num_particles, num_iterations, kernel, bandwidth_rule, bandwidth, bandwidth_scale, whiten, linear_weight,
         optimizer, learning_rate, beta1, beta2, schedule, decay, warmup_iterations, start, laplace_inflation, given,
         seed, history_every, precision, num_threads] = options;
  visit("particles", num_particles, OptionRole::kDecides);
  visit("iterations", num_iterations, OptionRole::kLength);
  visit("kernel", kernel, OptionRole::kDecides);
  visit("bandwidth rule", bandwidth_rule, OptionRole::kDecides);
  visit("bandwidth", bandwidth, OptionRole::kDecides);
  visit("bandwidth_scale", bandwidth_scale, OptionRole::kDecides);
  visit("whiten", whiten, OptionRole::kDecides);
  visit("linear_weight", linear_weight, OptionRole::kDecides);
  visit("optimizer", optimizer, OptionRole::kDecides);
  visit("learning_rate", learning_rate, OptionRole::kDecides);
  visit("beta1", beta1, OptionRole::kDecides);
  visit("beta2", beta2, OptionRole::kDecides);
  visit("schedule", schedule, OptionRole::kDecides);
  visit("decay", decay, OptionRole::kDecides);
  visit("warmup_iterations", warmup_iterations, OptionRole::kDecides);
  visit("start", start, OptionRole::kDecides);
  visit("laplace_inflation", laplace_inflation, OptionRole::kDecides);
  visit("initial particles", given, OptionRole::kDecides);
  visit("seed", seed, OptionRole::kDecides);
  visit("history_every", history_every, OptionRole::kDecides);
  visit("precision", precision, OptionRole::kDecides);
  visit("threads", num_threads, OptionRole::kWork);
}

/// Calls `visit(name, value)` for every part of a state, and likewise stops compiling where one is left out.
template <class State, class Visit>
void visit_state(State& state, Visit&& visit) {
  auto& [iteration, particles, log_density, score, metric_factor, metric_centre, sd, inverse_h2, held, first_moment,
         second_moment, facts, history, trace_mean_log_density, trace_step, map, laplace_covariance, seconds_start,
         seconds_scores, seconds_kernel, seconds_total] = state;
  auto& [largest_last_step, num_steps, num_rejected_steps, num_start_repairs, num_modes, start_failure] = facts;
  visit("iteration", iteration);
  visit("particles", particles);
  visit("log_density", log_density);
  visit("score", score);
  visit("metric_factor", metric_factor);
  visit("metric_centre", metric_centre);
  visit("sd", sd);
  visit("inverse_h2", inverse_h2);
  visit("held", held);
  visit("first_moment", first_moment);
  visit("second_moment", second_moment);
  visit("largest_last_step", largest_last_step);
  visit("num_steps", num_steps);
  visit("num_rejected_steps", num_rejected_steps);
  visit("num_start_repairs", num_start_repairs);
  visit("num_modes", num_modes);
  visit("start_failure", start_failure);
  visit("history", history);
  visit("trace_mean_log_density", trace_mean_log_density);
  visit("trace_step", trace_step);
  visit("map", map);
  visit("laplace_covariance", laplace_covariance);
  visit("seconds_start", seconds_start);
  visit("seconds_scores", seconds_scores);
  visit("seconds_kernel", seconds_kernel);
  visit("seconds_total", seconds_total);
}

}  // namespace sojourn
