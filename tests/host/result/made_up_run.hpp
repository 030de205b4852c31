#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "result/kaplan_meier.hpp"
#include "result/parameter_summary.hpp"
#include "result/predictive_grid.hpp"
#include "result/run_facts.hpp"

namespace sojourn {

/// A finished run made by hand: log-normal parameters and exponential data, so that no sampler is needed.
struct MadeUpRun {
  InferenceResult result;
  Observations observations;
  RunFacts facts;
};

/// Numbers in [0, 1) from a fixed linear congruential sequence (Knuth's MMIX constants).
class FixedSequence {
 public:
  double operator()() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }
  double normal() {
    const double u = 1 - (*this)(), v = (*this)();
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }

 private:
  std::uint64_t state_ = 20260101;
};

inline std::unique_ptr<MadeUpRun> made_up_run(std::size_t num_parameters = 3, std::size_t num_particles = 200,
                                              bool history = true) {
  auto run = std::make_unique<MadeUpRun>();
  InferenceResult& result = run->result;
  SvgdResult& svgd = result.svgd;
  FixedSequence random;
  static constexpr const char* kNames[] = {"theta",  "growth_rate", "migration_to_north",
                                           "coal_0", "m",           "exit_rate_of_last"};
  svgd.particles = Matrix<double>(num_particles, num_parameters);
  result.particles = svgd.particles;
  for (std::size_t i = 0; i < num_particles; ++i) {
    double previous = 0;
    for (std::size_t k = 0; k < num_parameters; ++k) {
      previous = 0.7 * previous + 0.7 * random.normal();
      svgd.particles(i, k) = 0.2 * previous + static_cast<double>(k) * 2.5 - 1;
      result.particles(i, k) = std::exp(svgd.particles(i, k));
    }
    svgd.log_density.push_back(-310.5 - std::abs(random.normal()));
  }
  svgd.score = Matrix<double>(num_particles, num_parameters);
  for (int i = 0; i < 500; ++i) {
    svgd.trace_mean_log_density.push_back(-311 - 900 * std::exp(-i / 12.0) +
                                          0.15 * random.normal() * std::exp(-i / 150.0));
    svgd.trace_step.push_back(0.05 * std::pow(0.985, i) * (1 + 0.3 * random()));
  }
  svgd.iterations_done = 500;
  if (history) {
    for (int frame = 0; frame <= 25; ++frame) {
      Matrix<double> particles = svgd.particles;
      for (double& value : particles.values()) value += std::exp(-frame / 5.0) * (1.5 * random.normal() - 1);
      svgd.history.push_back({frame * 20, std::move(particles)});
    }
  }
  svgd.map.assign(num_parameters, 0.0);
  svgd.diagnostics = {
      {"stein_moment", 0.012, "PASS",
       "Largest entry of |I + mean(score (x - mean)')|; near 0 when the particles' spread matches the posterior. Below "
       "0.1 passes."},
      {"kernel_stein_discrepancy", 0.0873, "WARN",
       "Distance of the particles from the posterior in the kernel's norm; more particles or iterations make it "
       "smaller."},
      {"largest_step", 2.5e-5, "PASS",
       "The farthest any particle moved in the last iteration, in units of the posterior's standard deviation."},
      {"distinct_particles", static_cast<double>(num_particles), "PASS",
       "Particles that differ from every other one."}};
  svgd.seconds_total = 3.2;
  svgd.seconds_scores = 2.6;

  FixedSequence data;
  for (int i = 0; i < 120; ++i) {
    const double time = -std::log(1 - data()) / 0.4, cut = 1 + 6 * data();
    Observation item;
    item.lower = std::min(time, cut);
    item.upper = time <= cut ? time : std::numeric_limits<double>::infinity();
    run->observations.items.push_back(item);
    run->observations.first_row.push_back(i + 2);
  }
  run->observations.num_rows = 120;
  run->observations.origin = "times & places.csv";

  PredictiveCheck& check = result.predictive;
  const PredictiveGrid grid = predictive_grid(run->observations.items, TimeKind::kContinuous);
  check.grid = grid.points;
  for (const double t : grid.points) {
    check.lower.push_back(std::exp(-0.48 * t));
    check.median.push_back(std::exp(-0.4 * t));
    check.upper.push_back(std::exp(-0.33 * t));
  }
  const ProductLimit curve = kaplan_meier(run->observations.items, TimeKind::kContinuous);
  check.data_x = curve.x;
  check.data_survival = curve.survival;
  check.data_lower = curve.lower;
  check.data_upper = curve.upper;
  check.censored_x = curve.censored;
  check.num_particles = 200;

  result.model_name = "two <demes> & a split";
  result.model_digest = "8f3a2b1c9d0e4f56";
  result.data_digest = "00ffee1122334455";
  result.device = "cpu";
  result.command = "sojourn infer run.yaml --output results --particles 200 --seed 7 --threads 4 --name \"a<b\"";
  result.seed = 18446744073709551615ULL;
  result.num_threads = 4;
  result.seconds = {{"model", 0.0021}, {"elimination", 0.031}, {"start", 0.22}, {"scores", 2.6},
                    {"kernel", 0.35},  {"predictive", 0.09},   {"total", 3.31}};
  result.routes = {.contour = 4'812'000,
                   .saddlepoint = 120'400,
                   .uniformization = 0,
                   .stepping = 0,
                   .closed = 12,
                   .worst_error_bound = 3.2e-10};

  for (std::size_t k = 0; k < num_parameters; ++k) {
    ParameterFacts parameter;
    for (std::size_t i = 0; i < num_particles; ++i) {
      parameter.natural.push_back(result.particles(i, k));
      parameter.unconstrained.push_back(svgd.particles(i, k));
    }
    parameter.summary = summarize_values(parameter.natural);
    parameter.summary.name = kNames[k % 6];
    parameter.summary.prior = "lognormal(mean=0, sd=1)";
    parameter.summary.transform = "log";
    parameter.log_prior = [](double theta) {
      const double z = std::log(theta);
      return -z - 0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
    };
    parameter.to_natural = [](double z) { return std::exp(z); };
    parameter.to_unconstrained = [](double theta) { return std::log(theta); };
    parameter.log_jacobian = [](double z) { return z; };
    result.parameters.push_back(parameter.summary);
    run->facts.parameters.push_back(std::move(parameter));
  }
  run->facts.fixed = {{"split_time", 1.5}};
  run->facts.result = &result;
  run->facts.observations = &run->observations;
  return run;
}

}  // namespace sojourn
