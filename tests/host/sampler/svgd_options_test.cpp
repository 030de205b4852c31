#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "host/sampler/analytic_targets.hpp"
#include "sampler/optimizer.hpp"
#include "sojourn/error.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

TEST(Schedule, ExponentialIsTheGuidesFormulaWithAFloor) {
  SvgdOptions options;
  for (const std::int64_t iteration : {0, 1, 10, 499})
    EXPECT_DOUBLE_EQ(learning_rate_at(options, iteration), 0.05 * std::pow(0.995, static_cast<double>(iteration)));
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 1000000), 0.05 * 1e-3);
}

TEST(Schedule, ConstantAndWarmup) {
  SvgdOptions options;
  options.schedule = ScheduleKind::kConstant;
  EXPECT_EQ(learning_rate_at(options, 12345), 0.05);
  options.schedule = ScheduleKind::kWarmup;
  options.warmup_iterations = 50;
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 0), 0.001);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 24), 0.025);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 49), 0.05);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 50), 0.05);
}

TEST(StepRule, AdamWithBiasCorrectionByHand) {
  SvgdOptions options;
  options.schedule = ScheduleKind::kConstant;
  options.learning_rate = 0.1;
  options.beta1 = 0.9;
  options.beta2 = 0.99;
  ParticleBlock u(1, 1), phi(1, 1);
  Matrix<double> m(1, 1), v(1, 1);
  phi.at(0, 0) = -3;
  apply_step_rule(options, 0, u, m, v, phi);
  // The corrected first moments are the gradient itself, so the first step is the rate times its sign.
  EXPECT_NEAR(phi.at(0, 0), -0.1, 1e-9);
  phi.at(0, 0) = 1;
  apply_step_rule(options, 1, u, m, v, phi);
  const double mean = (0.9 * 0.1 * -3 + 0.1 * 1) / (1 - 0.81), square = (0.99 * 0.01 * 9 + 0.01) / (1 - 0.99 * 0.99);
  EXPECT_NEAR(phi.at(0, 0), 0.1 * mean / (std::sqrt(square) + 1e-8), 1e-15);
}

TEST(StepRule, GradientIsRateTimesDirection) {
  SvgdOptions options;
  options.optimizer = Optimizer::kGradient;
  options.learning_rate = 0.25;
  options.schedule = ScheduleKind::kConstant;
  ParticleBlock u(1, 1), phi(1, 1);
  Matrix<double> none;
  phi.at(0, 0) = -3;
  apply_step_rule(options, 0, u, none, none, phi);
  EXPECT_EQ(phi.at(0, 0), -0.75);
}

struct BadOption {
  const char* words;
  std::function<void(SvgdOptions&)> spoil;
};

TEST(CheckOptions, NamesTheOptionAndItsValue) {
  const auto target = testing::log_gamma(3, 1);
  const std::vector<BadOption> cases{
      {"particles 0 must be >= 2", [](SvgdOptions& o) { o.num_particles = 0; }},
      {"particles 1 must be >= 2", [](SvgdOptions& o) { o.num_particles = 1; }},
      {"particles -1 must be >= 2", [](SvgdOptions& o) { o.num_particles = -1; }},
      {"iB, this machine has", [](SvgdOptions& o) { o.num_particles = 1000000000000; }},
      {"iterations 0 must be", [](SvgdOptions& o) { o.num_iterations = 0; }},
      {"learning_rate 0 must be", [](SvgdOptions& o) { o.learning_rate = 0; }},
      {"learning_rate -1 must be", [](SvgdOptions& o) { o.learning_rate = -1; }},
      {"learning_rate nan must be", [](SvgdOptions& o) { o.learning_rate = std::nan(""); }},
      {"bandwidth 0 must be",
       [](SvgdOptions& o) {
         o.bandwidth_rule = BandwidthRule::kFixed;
         o.bandwidth = 0;
       }},
      {"bandwidth -2 must be",
       [](SvgdOptions& o) {
         o.bandwidth_rule = BandwidthRule::kFixed;
         o.bandwidth = -2;
       }},
      {"bandwidth_scale 0", [](SvgdOptions& o) { o.bandwidth_scale = 0; }},
      {"linear_weight -1", [](SvgdOptions& o) { o.linear_weight = -1; }},
      {"beta1 1 must", [](SvgdOptions& o) { o.beta1 = 1; }},
      {"beta2 -0.1 must", [](SvgdOptions& o) { o.beta2 = -0.1; }},
      {"decay 1.5 must", [](SvgdOptions& o) { o.decay = 1.5; }},
      {"laplace_inflation 0", [](SvgdOptions& o) { o.laplace_inflation = 0; }},
      {"history_every -1", [](SvgdOptions& o) { o.history_every = -1; }},
      {"num_threads -1", [](SvgdOptions& o) { o.num_threads = -1; }},
      {"given particles are [3, 1], must be [4, 1]",
       [](SvgdOptions& o) {
         o.start = StartKind::kGiven;
         o.num_particles = 4;
         o.given = Matrix<double>(3, 1, 1.0);
       }},
      {"given particle 1, coordinate 0 is nan",
       [](SvgdOptions& o) {
         o.start = StartKind::kGiven;
         o.num_particles = 3;
         o.given = Matrix<double>(3, 1, 1.0);
         o.given(1, 0) = std::nan("");
       }},
      {"particles at one place never part", [](SvgdOptions& o) {
         o.start = StartKind::kGiven;
         o.num_particles = 3;
         o.given = Matrix<double>(3, 1, 1.0);
       }}};
  for (const BadOption& bad : cases) {
    SvgdOptions options;
    bad.spoil(options);
    try {
      svgd(target, options);
      ADD_FAILURE() << bad.words;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(bad.words));
    }
  }
}

}  // namespace
}  // namespace sojourn
