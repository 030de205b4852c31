#pragma once

#include <cstdint>
#include <string>

#include "sampler/svgd_fields.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn::testing {

/// A checkpoint with a value of its own in every place.
inline Checkpoint some_checkpoint(std::int64_t iteration = 7) {
  Checkpoint checkpoint;
  checkpoint.identity = {{"model", "0123abcd"}, {"seed", "1"}, {"learning_rate", "0.050000000000000003"}};
  checkpoint.origin = {{"version", "0.1.0"}};
  checkpoint.num_iterations = 500;
  checkpoint.resumed_at = {2, 5};
  checkpoint.seconds = 12.5;
  SvgdState& state = checkpoint.state;
  double next = 0.1;
  const auto fill = [&next](auto& values) {
    for (auto& value : values) value = static_cast<std::remove_cvref_t<decltype(value)>>(next += 1.25);
  };
  state.iteration = iteration;
  state.particles = state.score = Matrix<double>(3, 2);
  fill(state.particles.values());
  fill(state.score.values());
  state.log_density.resize(3);
  fill(state.log_density);
  state.metric_factor = state.laplace_covariance = Matrix<double>(2, 2);
  fill(state.metric_factor.values());
  fill(state.laplace_covariance.values());
  state.metric_centre = {-0.0, 5e-324};
  state.sd = {1e308, 0.1};
  state.inverse_h2 = 0.75;
  state.held = {0, 3, 1};
  state.first_moment = state.second_moment = Matrix<double>(2, 3);
  fill(state.first_moment.values());
  fill(state.second_moment.values());
  state.facts = {.largest_last_step = 0.5,
                 .num_steps = 70,
                 .num_rejected_steps = 2,
                 .num_start_repairs = 1,
                 .num_modes = 2,
                 .start_failure = "flat"};
  state.history = {{0, state.particles}, {4, state.score}};
  state.trace_mean_log_density.resize(static_cast<std::size_t>(iteration));
  state.trace_step = state.trace_mean_log_density;
  fill(state.trace_mean_log_density);
  fill(state.trace_step);
  state.map = {0.25, -3};
  state.seconds_start = 1;
  state.seconds_scores = 2;
  state.seconds_kernel = 3;
  state.seconds_total = 6;
  return checkpoint;
}

}  // namespace sojourn::testing
