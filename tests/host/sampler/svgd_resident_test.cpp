// Whole iterations by the bodies of device kernels, in a host loop, beside the same run on the CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "host/sampler/resident_cases.hpp"
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
};

Ran run(const Case& one, const SvgdOptions& options, const How& how) {
  EvaluatorOptions evaluator;
  evaluator.num_threads = 1;
  Posterior posterior(one.model, one.data, one.priors, {}, one.model.graph.unit_reward(), evaluator);
  testing::HostLoopSvgd directions;
  const auto device = std::make_shared<testing::HostLoopDevice>(how.free_bytes);
  device->spoil_mixed = how.spoil_mixed;
  if (how.on_device) posterior.use_device(device);
  SvgdControl control{.report_every = how.report_every, .resume = how.resume};
  if (how.on_device) control.device = &directions;
  if (how.report_every > 0 || how.stop_at > 0)
    control.progress = [&](const SvgdProgress& now) { return how.stop_at == 0 || now.iteration < how.stop_at; };
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
