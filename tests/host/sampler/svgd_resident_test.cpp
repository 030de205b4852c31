// Whole iterations by the bodies of device kernels, in a host loop, beside the same run on the CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "host/sampler/resident_cases.hpp"
#include "host/sampler/two_streams.hpp"
#include "sojourn/families.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

using testing::drawn_times;
using testing::fifty_iterations;
using ::testing::HasSubstr;
using testing::on_a_line;
using testing::two_demes;
using Case = testing::ResidentCase;

struct Ran {
  SvgdResult result;
  DeviceReport report;
  CompressionReport compression;
};

struct How {
  bool on_device = true;
  double free_bytes = 1e12;
  std::int64_t report_every = 0, stop_at = 0;
  const SvgdState* resume = nullptr;
  SvgdState* keep = nullptr;
  double spoil_mixed = 0;
  bool on_host_loop = false;  ///< whatever the suite runs on
  testing::HostStream* stream = nullptr;
  std::function<bool(std::int64_t)> wants_state = {};
  std::function<void(const SvgdState&)> take_state = {};
  std::function<void(std::int64_t)> at_report = {};
};

Ran run(const Case& one, const SvgdOptions& options, const How& how) {
  EvaluatorOptions evaluator;
  evaluator.num_threads = 1;
  Posterior posterior(one.model, one.data, one.priors, {}, one.model.graph.unit_reward(), evaluator);
  const bool looks_inside = how.on_host_loop || how.stream != nullptr || how.spoil_mixed != 0;
  std::shared_ptr<LikelihoodDevice> device = testing::suite_likelihoods(how.free_bytes);
  std::shared_ptr<SvgdDevice> directions = testing::suite_directions();
  if (looks_inside) {
    const auto loop = std::make_shared<testing::HostLoopDevice>(how.free_bytes, how.stream);
    loop->spoil_mixed = how.spoil_mixed;
    device = loop;
    directions = std::make_shared<testing::HostLoopSvgd>();
  }
  if (how.on_device) posterior.use_device(device);
  SvgdControl control{.report_every = how.report_every,
                      .wants_state = how.wants_state,
                      .take_state = how.take_state,
                      .resume = how.resume};
  if (how.on_device) control.device = directions.get();
  if (how.report_every > 0 || how.stop_at > 0)
    control.progress = [&](const SvgdProgress& now) {
      if (how.at_report && now.seconds_left >= 0) how.at_report(now.iteration);
      return how.stop_at == 0 || now.iteration < how.stop_at;
    };
  if (how.keep != nullptr) control.finish = [&](const SvgdState& state) { *how.keep = state; };
  Ran ran{svgd(posterior, options, control), {}, {}};
  ran.report = posterior.device_report();
  ran.compression = posterior.compression();
  return ran;
}

/// Fifty steps carry on what 1e-12 of a score leaves; positions are of size one.
void expect_close(const SvgdResult& device, const SvgdResult& cpu) {
  ASSERT_EQ(device.particles.values().size(), cpu.particles.values().size());
  for (std::size_t i = 0; i < cpu.particles.values().size(); ++i)
    ASSERT_NEAR(device.particles.values()[i], cpu.particles.values()[i], 1e-8) << i;
  for (std::size_t i = 0; i < cpu.log_density.size(); ++i)
    ASSERT_NEAR(device.log_density[i], cpu.log_density[i], 1e-7 * (1 + std::abs(cpu.log_density[i]))) << i;
  ASSERT_EQ(device.trace_mean_log_density.size(), cpu.trace_mean_log_density.size());
  for (std::size_t k = 0; k < cpu.trace_step.size(); ++k) {
    ASSERT_NEAR(device.trace_mean_log_density[k], cpu.trace_mean_log_density[k],
                1e-8 * (1 + std::abs(cpu.trace_mean_log_density[k])));
    ASSERT_NEAR(device.trace_step[k], cpu.trace_step[k], 1e-7);
  }
}

TEST(SvgdResident, EndsWhereTheCpuEnds) {
  const Case one = two_demes();
  std::vector<SvgdOptions> all(6, fifty_iterations());
  all[1].start = StartKind::kLaplace;
  all[1].num_particles = 33;
  all[2].kernel = Kernel::kRbf;
  all[2].bandwidth_rule = BandwidthRule::kFixed;
  all[2].bandwidth = 0.7;
  all[2].schedule = ScheduleKind::kWarmup;
  all[3].optimizer = Optimizer::kGradient;
  all[3].schedule = ScheduleKind::kConstant;
  all[3].linear_weight = 0;
  all[4].whiten = false;
  all[4].learning_rate = 0.02;
  all[5].history_every = 20;
  for (std::size_t k = 0; k < all.size(); ++k) {
    SCOPED_TRACE(k);
    const Ran cpu = run(one, all[k], {.on_device = false}), device = run(one, all[k], {});
    expect_close(device.result, cpu.result);
    EXPECT_EQ(device.result.on_device.num_resident, 50);
    EXPECT_EQ(device.result.on_device.num_directions, 50);
    EXPECT_EQ(device.result.on_device.num_halts, 0);
    EXPECT_EQ(device.result.on_device.why_not_resident, "");
    EXPECT_EQ(cpu.result.on_device.num_resident, 0);
    EXPECT_GE(device.report.num_served, 51 * all[k].num_particles);
    EXPECT_EQ(device.report.num_on_cpu(), 0);
    ASSERT_EQ(device.result.history.size(), cpu.result.history.size());
    for (std::size_t f = 0; f < cpu.result.history.size(); ++f)
      for (std::size_t i = 0; i < cpu.result.history[f].particles.size(); ++i)
        ASSERT_NEAR(device.result.history[f].particles.values()[i], cpu.result.history[f].particles.values()[i], 1e-8);
  }
}

/// Priors of every family, supports with either end or none, rates that are computed from the parameters.
TEST(SvgdResident, KnowsPriorsTransformsAndDerivedRates) {
  const RateTerm first{0, 1.0}, second{1, 1.0};
  const auto chain = [&](std::vector<Parameter> parameters, const RateMap& rates) {
    return cases::make_model(TimeKind::kContinuous, 3, {{0, 1.0}}, {{0, 1, 0, {first}}, {1, 2, 0, {second}}},
                             std::move(parameters), rates);
  };
  const RateMap rates = RateMap::derived({"a", "b"}, {"r", "s"}, {"exp(a) + 0.1 * b^2", "1 / (1 + b) + sqrt(2)"});
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<Case> all;
  const auto add = [&](std::vector<Parameter> parameters, const RateMap& map, const Prior& a, const Prior& b) {
    all.push_back({chain(std::move(parameters), map), {{"a", a}, {"b", b}}, drawn_times(80)});
  };
  add({{"a"}, {"b"}}, rates, Prior(PriorFamily::kNormal, 0, 0.5), Prior(PriorFamily::kGamma, 3, 2));
  add({{"a"}, {"b"}}, RateMap::identity(2), Prior(PriorFamily::kExponential, 0.7), Prior(PriorFamily::kHalfCauchy, 1));
  add({{"a"}, {"b", 0.2, kInfinity}}, RateMap::identity(2), Prior(PriorFamily::kUniform, 0.5, 4),
      Prior(PriorFamily::kLognormal, 0.2, 0.6));
  add({{"a", -kInfinity, 1.5}, {"b"}}, rates, Prior(PriorFamily::kNormal, 0, 1), Prior(PriorFamily::kBeta, 2, 3));
  for (std::size_t k = 0; k < all.size(); ++k) {
    SCOPED_TRACE(k);
    const SvgdOptions options = fifty_iterations(25);
    const Ran cpu = run(all[k], options, {.on_device = false}), device = run(all[k], options, {});
    expect_close(device.result, cpu.result);
    EXPECT_EQ(device.result.on_device.num_resident, 50);
  }
}

/// The bits do not depend on how many iterations run at once, on batches, or on a stop in between.
/// Else no test would see a step that was given what changes from one iteration to the next.
TEST(SvgdResident, PlaysBackWhatWasRecorded) {
  SvgdOptions options = fifty_iterations(40);
  const std::int64_t before = testing::HostLoop::num_replays;
  run(two_demes(), options, {.on_host_loop = true});
  // Iterations are of two kinds, of each of which the first is no replay.
  EXPECT_EQ(testing::HostLoop::num_replays - before, 48);
}

TEST(SvgdResident, GivesTheSameBitsHoweverItIsRun) {
  const Case one = two_demes();
  SvgdOptions options = fifty_iterations(140);
  options.num_iterations = 30;
  const SvgdResult whole = run(one, options, {}).result;
  EXPECT_EQ(run(one, options, {.report_every = 7}).result.particles.values(), whole.particles.values());
  // Room for one block of lanes.
  EXPECT_EQ(run(one, options, {.free_bytes = 1e5}).result.particles.values(), whole.particles.values());
  SvgdState state;
  const SvgdResult part = run(one, options, {.report_every = 9, .stop_at = 27, .keep = &state}).result;
  EXPECT_TRUE(part.interrupted);
  ASSERT_EQ(state.iteration, 27);
  const SvgdResult rest = run(one, options, {.resume = &state}).result;
  EXPECT_EQ(rest.particles.values(), whole.particles.values());
  EXPECT_EQ(rest.trace_step, whole.trace_step);
  EXPECT_EQ(rest.log_density, whole.log_density);
}

/// Numbers come back for a line of progress, arrays for a state that somebody wants.
TEST(SvgdResident, BringsArraysBackForStatesAlone) {
  using testing::HostLoop;
  const Case one = two_demes();
  SvgdOptions options = fifty_iterations(40);
  options.num_iterations = 12;
  // Log densities; particles and scores and their moments of four coordinates, 40 rounded up to whole warps.
  constexpr std::size_t kState = 8 * (40 + 4 * 4 * 64), kIteration = sizeof(svgd_lanes::Numbers) + 2 * sizeof(double);
  const auto states_brought = [&](const std::function<bool(std::int64_t)>& wants, std::int64_t history_every) {
    std::size_t numbers = 0, arrays = 0;
    options.history_every = history_every;
    const auto look = [&](std::int64_t iteration) {
      if (iteration != 1) return;
      // How many iterations a turn has depends on time; none brings more than this.
      numbers = HostLoop::bytes_back;
      arrays = HostLoop::bytes_aside;
    };
    run(one, options, {.report_every = 1, .on_host_loop = true, .wants_state = wants, .at_report = look});
    EXPECT_LE(HostLoop::bytes_back - numbers, 11 * kIteration);
    EXPECT_EQ((HostLoop::bytes_aside - arrays) % kState, 0u);
    return (HostLoop::bytes_aside - arrays) / kState;
  };
  // The end always has the state.
  EXPECT_EQ(states_brought({}, 0), 1u);
  const auto once = [](std::int64_t iteration) { return iteration == 4; };
  EXPECT_EQ(states_brought(once, 0), 2u);
  // One copy for a state that is a frame of the history as well, and for the frame where the run ends.
  EXPECT_EQ(states_brought(once, 4), 3u);
  EXPECT_EQ(states_brought({}, 12), 1u);
  EXPECT_EQ(states_brought([](std::int64_t) { return true; }, 4), 12u);
}

/// However slow copies or steps are, a state that is taken is that of its own iteration.
TEST(SvgdResident, AStateTravelsBesideTheNextIterations) {
  for (const Case& one : {two_demes(), testing::triangle_of_pairs(), on_a_line()[1]}) {
    SvgdOptions options = fifty_iterations(12);
    options.num_iterations = 20;
    options.history_every = 10;
    const auto always = [](std::int64_t) { return true; };
    const SvgdResult whole = run(one, options, {.on_host_loop = true}).result;
    const Posterior posterior(one.model, one.data, one.priors, {}, one.model.graph.unit_reward());
    for (const auto slow : {testing::TwoStreams::Slow::kSteps, testing::TwoStreams::Slow::kCopies}) {
      SCOPED_TRACE(static_cast<int>(slow));
      testing::TwoStreams streams(slow);
      std::vector<SvgdState> states;
      std::int64_t last_report = -1;
      const SvgdResult got = run(one, options,
                                 {.report_every = 5,
                                  .stream = &streams,
                                  .wants_state = always,
                                  .take_state =
                                      [&](const SvgdState& state) {
                                        // Before the report of the next turn, and after the steps of that were
                                        // enqueued.
                                        EXPECT_EQ(state.iteration, std::max<std::int64_t>(last_report, 0));
                                        const bool beside = state.iteration > 0 && state.iteration < 20;
                                        EXPECT_EQ(streams.num_beside > 20, beside);
                                        streams.num_beside = 0;
                                        states.push_back(state);
                                      },
                                  .at_report = [&](std::int64_t iteration) { last_report = iteration; }})
                                 .result;
      EXPECT_EQ(got.particles.values(), whole.particles.values());
      EXPECT_EQ(got.trace_step, whole.trace_step);
      ASSERT_EQ(got.history.size(), whole.history.size());
      for (std::size_t k = 0; k < got.history.size(); ++k) {
        EXPECT_EQ(got.history[k].iteration, whole.history[k].iteration);
        EXPECT_EQ(got.history[k].particles.values(), whole.history[k].particles.values());
      }
      EXPECT_GE(states.size(), 5u);
      for (const SvgdState& state : states) {
        SCOPED_TRACE(state.iteration);
        EXPECT_EQ(state.trace_step.size(), static_cast<std::size_t>(state.iteration));
        EXPECT_EQ(state.history.size(), static_cast<std::size_t>(state.iteration / 10 + 1));
        // What it says of its particles is true of them.
        std::vector<double> log_density(state.log_density.size());
        Matrix<double> score(log_density.size(), state.particles.num_cols());
        std::vector<std::string> status(log_density.size());
        posterior.evaluate(state.particles.view(), log_density, score.view(), status);
        for (std::size_t i = 0; i < log_density.size(); ++i) {
          EXPECT_NEAR(state.log_density[i], log_density[i], 1e-8 * std::abs(log_density[i]));
          for (std::size_t c = 0; c < score.num_cols(); ++c)
            EXPECT_NEAR(state.score(i, c), score(i, c), 1e-7 * (std::abs(score(i, c)) + std::abs(log_density[i])));
        }
        // And a run that goes on from it ends where the whole run does.
        if (state.iteration % 10 != 5) continue;
        EXPECT_EQ(run(one, options, {.resume = &state, .on_host_loop = true}).result.particles.values(),
                  whole.particles.values());
      }
    }
  }
}

TEST(SvgdResident, WhatATakerThrowsEndsTheRunWithItsTurn) {
  const Case one = two_demes();
  testing::TwoStreams streams(testing::TwoStreams::Slow::kSteps);
  const auto throwing = [](const SvgdState& state) {
    if (state.iteration > 0) throw IoError("no room for " + std::to_string(state.iteration));
  };
  try {
    run(one, fifty_iterations(),
        {.report_every = 5,
         .stream = &streams,
         .wants_state = [](std::int64_t) { return true; },
         .take_state = throwing});
    ADD_FAILURE();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no room for "));
  }
}

TEST(SvgdResident, TheHostFinishesWhatTheDeviceCannotEvaluate) {
  const Case triangle = testing::triangle_of_pairs();
  const SvgdOptions options = fifty_iterations(15);
  const Ran cpu = run(triangle, options, {.on_device = false}), device = run(triangle, options, {});
  expect_close(device.result, cpu.result);
  EXPECT_EQ(device.result.on_device.num_resident, 50);
  EXPECT_EQ(device.result.on_device.num_halts, 50);
  // Not by the resident iterations' contour, but on the device all the same.
  EXPECT_GE(device.report.num_by_steps, 50 * 15);
  EXPECT_EQ(device.report.num_on_cpu(), 0);
}

TEST(SvgdResident, ComesToTheHostWhereNoContourHolds) {
  const RateTerm a{0, 1.0}, b{1, 1.0};
  const Case ring{cases::make_model(TimeKind::kContinuous, 4, {{0, 1.0}},
                                    {{0, 1, 0, {a}}, {1, 2, 0, {a}}, {2, 0, 0, {a}}, {2, 3, 0, {b}}, {0, 3, 0.125, {}}},
                                    {{"a"}, {"b"}}, RateMap::identity(2)),
                  {{"a", Prior(PriorFamily::kLognormal, 0, 0.3)}, {"b", Prior(PriorFamily::kLognormal, 0, 0.3)}},
                  drawn_times(20)};
  const SvgdOptions options = fifty_iterations(15);
  const Ran cpu = run(ring, options, {.on_device = false}), device = run(ring, options, {});
  expect_close(device.result, cpu.result);
  EXPECT_EQ(device.result.on_device.num_resident, 0);
  EXPECT_EQ(device.result.on_device.num_directions, 50);
  EXPECT_THAT(device.result.on_device.why_not_resident, HasSubstr("uniformization"));
  EXPECT_GE(device.report.num_by_steps, 51 * 15);
  EXPECT_EQ(device.report.num_on_cpu(), 0);
}

TEST(SvgdResident, ShortensStepsAsTheCpuDoes) {
  const Case narrow = testing::narrow_support();
  SvgdOptions options = fifty_iterations(30);
  options.learning_rate = 0.6;
  options.schedule = ScheduleKind::kConstant;
  const Ran cpu = run(narrow, options, {.on_device = false}), device = run(narrow, options, {});
  const auto rejected = [](const SvgdResult& result) {
    for (const Diagnostic& diagnostic : result.diagnostics)
      if (diagnostic.name == "rejected_steps") return diagnostic.value;
    return -1.0;
  };
  EXPECT_GT(rejected(cpu.result), 0);
  EXPECT_EQ(rejected(device.result), rejected(cpu.result));
  EXPECT_GT(device.result.on_device.num_halts, 0);
  EXPECT_LT(device.result.on_device.num_halts, 50);
  expect_close(device.result, cpu.result);
}

TEST(SvgdResident, AStateThatIsNotThePosteriorsEndsTheRun) {
  const Case one = two_demes();
  SvgdState state;
  run(one, fifty_iterations(), {.report_every = 5, .stop_at = 10, .keep = &state});
  state.score(3, 1) += 1;
  EXPECT_THROW(run(one, fifty_iterations(), {.resume = &state}), DeviceError);
}

TEST(SvgdResident, MixedDirectionsAreCheckedThere) {
  const Case one = two_demes();
  for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
    SvgdOptions options = fifty_iterations(24);
    options.kernel = kernel;
    options.num_iterations = 60;
    const Ran exact = run(one, options, {});
    options.precision = DirectionPrecision::kMixed;
    const Ran cpu = run(one, options, {.on_device = false}), device = run(one, options, {.report_every = 10});
    EXPECT_EQ(device.result.on_device.num_resident, 60);
    // After the first turn and every fifty iterations.
    EXPECT_EQ(device.result.direction_check.num_checks, 2);
    EXPECT_GT(device.result.direction_check.worst_error, 1e-10);
    EXPECT_LT(device.result.direction_check.worst_error, 5e-7);
    for (std::size_t i = 0; i < exact.result.particles.values().size(); ++i) {
      EXPECT_NEAR(device.result.particles.values()[i], exact.result.particles.values()[i], 1e-4);
      EXPECT_NEAR(cpu.result.particles.values()[i], exact.result.particles.values()[i], 1e-4);
    }
    options.num_iterations = 3;
    EXPECT_NO_THROW(run(one, options, {.spoil_mixed = 1e-7}));
    EXPECT_THROW(run(one, options, {.spoil_mixed = 1e-2}), NumericalError);
    EXPECT_THROW(run(one, options, {.spoil_mixed = std::nan("")}), NumericalError);
  }
}

/// The line's cells are the same on both sides, and so are the sums of their series.
TEST(SvgdResident, OneFreeParameterStaysThere) {
  for (const Case& one : on_a_line()) {
    std::vector<SvgdOptions> all(3, fifty_iterations());
    all[1].start = StartKind::kLaplace;
    all[1].num_particles = 33;
    all[2].kernel = Kernel::kRbf;
    all[2].history_every = 20;
    for (const SvgdOptions& options : all) {
      const Ran cpu = run(one, options, {.on_device = false}), device = run(one, options, {});
      expect_close(device.result, cpu.result);
      EXPECT_EQ(device.result.on_device.num_resident, 50);
      EXPECT_EQ(device.result.on_device.num_halts, 0);
      EXPECT_EQ(device.result.on_device.why_not_resident, "");
      // Of the cells' nodes alone, not of particles.
      EXPECT_EQ(device.report.num_served + device.report.num_on_cpu(), device.compression.num_line_values);
      EXPECT_LE(device.compression.num_line_values, 400);
      EXPECT_EQ(device.compression.num_line_values, cpu.compression.num_line_values);
      EXPECT_GE(device.compression.num_line_answers, 50 * options.num_particles);
    }
  }
}

/// Log density and score of each particle where a run ends, from the line and from every observation.
TEST(SvgdResident, TheLineIsWithinItsToleranceOfTheExactDensity) {
  double worst = 0;
  for (const Case& one : on_a_line()) {
    EvaluatorOptions evaluator;
    evaluator.num_threads = 1;
    const Posterior exact(one.model, one.data, one.priors, {}, one.model.graph.unit_reward(), evaluator,
                          DataCompression::kOff);
    const SvgdResult there = run(one, fifty_iterations(), {}).result;
    std::vector<double> log_density(there.log_density.size());
    Matrix<double> score(log_density.size(), 1);
    std::vector<std::string> status;
    exact.evaluate(there.particles.view(), log_density, score.view(), status);
    for (std::size_t i = 0; i < log_density.size(); ++i) {
      worst = std::max(worst, std::abs(there.log_density[i] - log_density[i]) / std::abs(log_density[i]));
      EXPECT_NEAR(there.log_density[i], log_density[i], 1e-9 * std::abs(log_density[i]));
      EXPECT_NEAR(there.score(i, 0), score(i, 0), 1e-9 * (std::abs(score(i, 0)) + std::abs(log_density[i])));
    }
  }
  RecordProperty("worst", std::to_string(worst * 1e12) + "e-12");
}

TEST(SvgdResident, OneFreeParameterGivesTheSameBitsHoweverItIsRun) {
  const Case one = on_a_line()[1];
  // A prior start far from the data, so that particles come to cells that are not made yet.
  SvgdOptions options = fifty_iterations(140);
  options.learning_rate = 0.3;
  const SvgdResult whole = run(one, options, {}).result;
  EXPECT_EQ(run(one, options, {.report_every = 7}).result.particles.values(), whole.particles.values());
  SvgdState state;
  EXPECT_TRUE(run(one, options, {.report_every = 9, .stop_at = 27, .keep = &state}).result.interrupted);
  // The process that resumes has no cells.
  const SvgdResult rest = run(one, options, {.resume = &state}).result;
  EXPECT_EQ(rest.particles.values(), whole.particles.values());
  EXPECT_EQ(rest.log_density, whole.log_density);
  EXPECT_EQ(rest.trace_step, whole.trace_step);
}

}  // namespace
}  // namespace sojourn
