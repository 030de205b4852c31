#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "host/sampler/calibration.hpp"
#include "sampler/diagnostics.hpp"
#include "sampler/mode_search.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

const Diagnostic& find(const SvgdResult& result, const std::string& name) {
  for (const Diagnostic& diagnostic : result.diagnostics)
    if (diagnostic.name == name) return diagnostic;
  throw UsageError("no diagnostic " + name);
}

SvgdOptions short_run() {
  SvgdOptions options;
  options.num_particles = 37;
  options.num_iterations = 60;
  return options;
}

TEST(SvgdRun, ThreadsDoNotChangeBits) {
  const auto target = testing::sheared_gaussian(2, 0.5, {1.0, 0.2});
  for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
    SvgdOptions options = short_run();
    options.num_particles = 333;  // enough work per iteration for a team of threads
    options.num_iterations = 20;
    options.kernel = kernel;
    options.num_threads = 1;
    const SvgdResult one = svgd(target, options);
    for (const int threads : {2, 3}) {
      options.num_threads = threads;
      const SvgdResult many = svgd(target, options);
      EXPECT_EQ(one.particles.values(), many.particles.values());
      EXPECT_EQ(one.trace_step, many.trace_step);
      for (std::size_t k = 0; k < one.diagnostics.size(); ++k)
        EXPECT_EQ(one.diagnostics[k].value, many.diagnostics[k].value) << one.diagnostics[k].name;
    }
  }
}

TEST(SvgdRun, SeedsGiveDifferentStartsAndRepeat) {
  const auto target = testing::log_gamma(3, 1);
  SvgdOptions options = short_run();
  const SvgdResult first = svgd(target, options);
  EXPECT_EQ(first.particles.values(), svgd(target, options).particles.values());
  options.seed = 2;
  EXPECT_NE(first.particles.values(), svgd(target, options).particles.values());
}

TEST(SvgdRun, HistoryTracesAndProgress) {
  const auto target = testing::log_gamma(3, 1);
  SvgdOptions options = short_run();
  options.num_iterations = 25;
  options.history_every = 10;
  std::vector<std::int64_t> reported;
  const SvgdResult result = svgd(target, options, [&](const SvgdProgress& progress) {
    reported.push_back(progress.iteration);
    EXPECT_EQ(progress.num_iterations, 25);
    if (progress.iteration > 0) {
      EXPECT_GE(progress.seconds_left, 0);
    }
    return true;
  });
  std::vector<std::int64_t> frames;
  for (const HistoryFrame& frame : result.history) frames.push_back(frame.iteration);
  EXPECT_EQ(frames, (std::vector<std::int64_t>{0, 10, 20, 25}));
  EXPECT_EQ(result.history.back().particles.values(), result.particles.values());
  EXPECT_EQ(result.trace_mean_log_density.size(), 25u);
  EXPECT_EQ(result.trace_step.size(), 25u);
  EXPECT_EQ(result.iterations_done, 25);
  EXPECT_FALSE(result.interrupted);
  ASSERT_FALSE(reported.empty());
  EXPECT_EQ(reported.back(), 25);
}

TEST(SvgdRun, ProgressCanStopTheRun) {
  // A target slow enough for a report before the end: 100 iterations of 3 ms each.
  const testing::AnalyticTarget slow(1, [](std::span<const double> z, std::span<double> score) {
    volatile double burn = 0;
    for (int k = 0; k < 100000; ++k) burn = burn + 1;
    score[0] = -z[0];
    return -0.5 * z[0] * z[0];
  });
  SvgdOptions options = short_run();
  options.num_iterations = 1000000;
  options.start = StartKind::kPrior;
  const SvgdResult result = svgd(slow, options, [](const SvgdProgress& progress) { return progress.iteration == 0; });
  EXPECT_TRUE(result.interrupted);
  EXPECT_GT(result.iterations_done, 0);
  EXPECT_LT(result.iterations_done, 1000000);
  EXPECT_EQ(static_cast<std::int64_t>(result.trace_step.size()), result.iterations_done);
  EXPECT_FALSE(result.diagnostics.empty());
}

TEST(SvgdRun, StopsInsideItsStart) {
  // One row outlasts the tenth of a second between questions, so that the answer comes after the first of them.
  int num_rows = 0;
  const testing::AnalyticTarget slow(2, [&](std::span<const double> z, std::span<double> score) {
    ++num_rows;
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    score[0] = -z[0];
    score[1] = -z[1];
    return -0.5 * (z[0] * z[0] + z[1] * z[1]);
  });
  SvgdOptions options = short_run();
  options.num_threads = 1;
  options.history_every = 5;
  const SvgdResult result = svgd(slow, options, [](const SvgdProgress& progress) {
    EXPECT_EQ(progress.iteration, 0);
    return false;
  });
  EXPECT_EQ(num_rows, 1);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.iterations_done, 0);
  Matrix<double> draws(37, 2);
  slow.sample_prior(options.seed, draws.view());
  EXPECT_EQ(result.particles.values(), draws.values());
  EXPECT_EQ(result.log_density.size(), 37u);
  EXPECT_TRUE(std::ranges::all_of(result.log_density, [](double x) { return std::isnan(x); }));
  EXPECT_EQ(result.score.size(), 74u);
  EXPECT_EQ(result.history.size(), 1u);
  EXPECT_TRUE(result.trace_step.empty());
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].verdict, "FAIL");
  EXPECT_THAT(result.diagnostics[0].explanation, ::testing::HasSubstr("drawn from the prior"));
}

TEST(SvgdRun, StopAtTheEndOfTheStartKeepsItsParticles) {
  const auto target = testing::log_gamma(3, 1);
  const SvgdResult result =
      svgd(target, short_run(), [](const SvgdProgress& state) { return !std::isfinite(state.mean_log_density); });
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.iterations_done, 0);
  ASSERT_EQ(result.map.size(), 1u);
  EXPECT_NEAR(result.map[0], std::log(3.0), 1e-4);
  EXPECT_THAT(result.diagnostics.at(0).explanation, ::testing::HasSubstr("around the modes"));
  for (std::size_t i = 0; i < 37; ++i) {
    const double z = result.particles(i, 0);
    EXPECT_DOUBLE_EQ(result.log_density[i], 3 * z - std::exp(z));
  }
}

TEST(SvgdRun, ResultHoldsDensityAndScoreOfItsParticles) {
  const auto target = testing::log_gamma(3, 1);
  const SvgdResult result = svgd(target, short_run());
  for (std::size_t i = 0; i < result.particles.num_rows(); ++i) {
    const double z = result.particles(i, 0);
    EXPECT_DOUBLE_EQ(result.log_density[i], 3 * z - std::exp(z));
    EXPECT_DOUBLE_EQ(result.score(i, 0), 3 - std::exp(z));
  }
  EXPECT_NEAR(result.map[0], std::log(3), 1e-5);  // a Newton decrement of 1e-10 is 1e-5 sds
  EXPECT_NEAR(result.laplace_covariance(0, 0), 1.0 / 3, 1e-4);
}

TEST(SvgdRun, GivenParticlesAreTheStart) {
  const auto target = testing::log_gamma(3, 1);
  SvgdOptions options = short_run();
  options.start = StartKind::kGiven;
  options.num_particles = 3;
  options.given = Matrix<double>(3, 1);
  options.given(0, 0) = -1;
  options.given(1, 0) = 0.5;
  options.given(2, 0) = 2;
  options.history_every = 1;
  const SvgdResult result = svgd(target, options);
  EXPECT_EQ(result.history.front().particles.values(), options.given.values());
  EXPECT_TRUE(result.map.empty());
}

TEST(SvgdRun, GivenParticleOutsideTheSupportIsNamed) {
  const testing::AnalyticTarget half_line(1, [](std::span<const double> z, std::span<double> score) {
    score[0] = -1;
    return z[0] > 0 ? -z[0] : -HUGE_VAL;
  });
  SvgdOptions options = short_run();
  options.start = StartKind::kGiven;
  options.num_particles = 3;
  options.given = Matrix<double>(3, 1, 1.0);
  options.given(1, 0) = -2;
  try {
    svgd(half_line, options);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("given particle 1 at z = [-2]"));
  }
}

TEST(SvgdRun, StepsIntoAnUnevaluableRegionAreShortenedAndCounted) {
  // A standard normal that cannot be evaluated beyond 2.5; the rate is large, so particles run into the edge.
  const testing::AnalyticTarget walled(1, [](std::span<const double> z, std::span<double> score) {
    score[0] = -z[0];
    return std::abs(z[0]) > 2.5 ? std::nan("") : -0.5 * z[0] * z[0];
  });
  SvgdOptions options = short_run();
  options.learning_rate = 0.3;
  const SvgdResult result = svgd(walled, options);
  for (const double z : result.particles.values()) EXPECT_LE(std::abs(z), 2.5);
  EXPECT_GT(find(result, "rejected_steps").value, 0);
  EXPECT_NE(find(result, "rejected_steps").verdict, "PASS");
}

TEST(SvgdRun, NonFiniteForGoodNamesParticlePositionAndIteration) {
  // Evaluable for the start and the mode search, never again after 30 batches of 37: iterations 29 to 33 fail.
  const auto calls = std::make_shared<std::atomic<int>>(0);
  const testing::AnalyticTarget dying(1, [calls](std::span<const double> z, std::span<double> score) {
    score[0] = -z[0];
    return ++*calls > 37 * 30 ? std::nan("") : -0.5 * z[0] * z[0];
  });
  SvgdOptions options = short_run();
  options.start = StartKind::kPrior;
  try {
    svgd(dying, options);
    FAIL();
  } catch (const ParticleError& error) {
    EXPECT_EQ(error.particle, 0);
    EXPECT_EQ(error.iteration, 33);
    EXPECT_EQ(error.reason, "outside");
    ASSERT_EQ(error.position.size(), 1u);
    ASSERT_EQ(error.previous.size(), 1u);
    EXPECT_NE(error.position, error.previous);
    EXPECT_THAT(error.what(),
                ::testing::AllOf(::testing::HasSubstr("particle 0 at z = ["), ::testing::HasSubstr("iteration 33"),
                                 ::testing::HasSubstr("nan"), ::testing::HasSubstr("use a smaller learning rate")));
  }
}

TEST(SvgdRun, TargetThatIsNeverFiniteIsAnErrorAtTheStart) {
  const testing::AnalyticTarget never(1, [](std::span<const double>, std::span<double> score) {
    score[0] = 0;
    return std::nan("");
  });
  try {
    svgd(never, short_run());
    FAIL();
  } catch (const ParticleError& error) {
    EXPECT_EQ(error.iteration, 0);
    EXPECT_TRUE(error.previous.empty());
    EXPECT_THAT(error.what(), ::testing::HasSubstr("start particle 0"));
  }
}

TEST(SvgdRun, FlatDirectionFallsBackToThePriorAndSaysSo) {
  // The second coordinate does not enter: the Hessian is singular, its proper prior is absent.
  const testing::AnalyticTarget flat(2, [](std::span<const double> z, std::span<double> score) {
    score[0] = -z[0];
    score[1] = 0;
    return -0.5 * z[0] * z[0];
  });
  const SvgdResult result = svgd(flat, short_run());
  EXPECT_TRUE(result.map.empty());
  EXPECT_EQ(find(result, "laplace_start").verdict, "WARN");
}

TEST(SvgdRun, TwoModesAreSharedOutByTheirWeights) {
  // 0.7 N(-4, 1) + 0.3 N(4, 0.5^2).
  const testing::AnalyticTarget mixture(
      1,
      [](std::span<const double> z, std::span<double> score) {
        const double left = 0.7 * std::exp(-0.5 * (z[0] + 4) * (z[0] + 4));
        const double right = 0.6 * std::exp(-2 * (z[0] - 4) * (z[0] - 4));
        const double total = left + right;
        if (total < 1e-300) {
          // Far out the nearer tail alone.
          const double e = z[0] < 0 ? z[0] + 4 : z[0] - 4;
          score[0] = z[0] < 0 ? -e : -4 * e;
          return z[0] < 0 ? std::log(0.7) - 0.5 * e * e : std::log(0.6) - 2 * e * e;
        }
        score[0] = (-left * (z[0] + 4) - 4 * right * (z[0] - 4)) / total;
        return std::log(total);
      },
      0, 4);
  const SvgdResult result = svgd(mixture, SvgdOptions{});
  const auto right = std::ranges::count_if(result.particles.values(), [](double z) { return z > 0; });
  EXPECT_NEAR(static_cast<double>(right) / 200, 0.3, 0.01);
  EXPECT_EQ(find(result, "modes").value, 2);
  EXPECT_EQ(find(result, "modes").verdict, "WARN");
}

TEST(SvgdRun, FewerParticlesThanDimensionsStayFinite) {
  SvgdOptions options = short_run();
  options.num_particles = 2;
  const SvgdResult result = svgd(testing::gaussian_case(5).target, options);
  for (const double z : result.particles.values()) EXPECT_TRUE(std::isfinite(z));
}

TEST(SvgdRun, PlainMetricRunsInTheGivenCoordinates) {
  SvgdOptions options;
  options.whiten = false;
  const auto truth = testing::log_gamma_case(3, 2);
  const auto error = testing::calibration_error(truth, svgd(truth.target, options).particles.view());
  EXPECT_TRUE(error.passes()) << error.mean << " " << error.sd;
}

TEST(ModeSearch, FindsTheModeOfABanana) {
  // log density -x^2/2 - (y - x^2 + 1)^2 / (2 * 0.01): mode (0, -1), Hessian diag(-1, -100).
  const ModeSearch search = find_modes(testing::banana(1, 0.1), 5);
  ASSERT_EQ(search.modes.size(), 1u) << search.failure;
  EXPECT_NEAR(search.modes[0].position[0], 0, 1e-4);
  EXPECT_NEAR(search.modes[0].position[1], -1, 1e-5);
  EXPECT_NEAR(search.modes[0].covariance(0, 0), 1,
              1e-2);  // truncation of the differences: curvature 600 x^2 at x = 0.005
  EXPECT_NEAR(search.modes[0].covariance(1, 1), 0.01, 1e-6);
}

TEST(Diagnostics, SteinDiscrepancyMatchesTheDefinition) {
  // Two particles, d = 1, h = 1: k_p(a, b) = s s' k + s dk/db + s' dk/da + d2k/dadb, derivatives of (1+(a-b)^2)^(-1/2).
  const double a[2] = {0.3, -0.8}, s[2] = {0.5, 1.7};
  double total = 0;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      const double e = a[i] - a[j], q = 1 + e * e;
      const double k = std::pow(q, -0.5), by_j = e * std::pow(q, -1.5);
      const double mixed = std::pow(q, -1.5) - 3 * e * e * std::pow(q, -2.5);
      total += s[i] * s[j] * k + s[i] * by_j - s[j] * by_j + mixed;
    }
  ParticleBlock u(2, 1), score(2, 1);
  for (int i = 0; i < 2; ++i) {
    u.at(i, 0) = a[i];
    score.at(i, 0) = s[i];
  }
  const SteinDiscrepancy ksd = kernel_stein_discrepancy(u, score, 1, 1);
  EXPECT_NEAR(ksd.squared, total / 4, 1e-15);
}

TEST(Diagnostics, FlagParticlesOfTheWrongSpread) {
  // Exact normal quantiles shrunk to 60 %: moments, discrepancy and nothing else must complain.
  const std::int64_t n = 200;
  Matrix<double> x(n, 1), score(n, 1);
  PhiloxStream stream(1, 1, 1);
  for (std::int64_t i = 0; i < n; ++i) {
    x(i, 0) = 0.6 * stream.next_normal();
    score(i, 0) = -x(i, 0);
  }
  SvgdFacts facts;
  facts.num_steps = 1;
  const auto shrunk = diagnose(x.view(), score.view(), facts, 1);
  EXPECT_EQ(shrunk[0].name, "stein_moment");
  EXPECT_EQ(shrunk[0].verdict, "FAIL");
  // Collapsed onto one point each pair.
  for (std::int64_t i = 0; i < n; ++i) x(i, 0) = static_cast<double>(i / 2);
  const auto doubled = diagnose(x.view(), score.view(), facts, 1);
  for (const Diagnostic& diagnostic : doubled)
    if (diagnostic.name == "distinct_particles") {
      EXPECT_EQ(diagnostic.value, 100);
      EXPECT_EQ(diagnostic.verdict, "FAIL");
    }
}

/// Two modes that mirror each other, apart from what rounding may do to either on another processor.
TEST(SvgdRun, RoundingDoesNotChooseBetweenEqualModes) {
  const auto start_of = [](double rounding) {
    const testing::AnalyticTarget target(1, [=](std::span<const double> z, std::span<double> score) {
      const double right = 1 / (1 + std::exp(-6 * z[0]));  // share of the mode at 3
      score[0] = -z[0] - 3 + 6 * right;
      const double far = std::abs(z[0]);
      return -0.5 * (far - 3) * (far - 3) + std::log1p(std::exp(-6 * far)) + (z[0] > 0 ? rounding : -rounding);
    });
    SvgdOptions options;
    options.start = StartKind::kLaplace;
    options.num_particles = 33;
    options.num_iterations = 1;
    return svgd(target, options);
  };
  const SvgdResult up = start_of(2e-13), down = start_of(-2e-13);
  ASSERT_EQ(up.map.size(), 1u);
  EXPECT_NEAR(std::abs(up.map[0]), 3, 1e-4);
  EXPECT_NEAR(up.map[0], down.map[0], 1e-7);
  for (std::size_t i = 0; i < 33; ++i) EXPECT_NEAR(up.particles(i, 0), down.particles(i, 0), 1e-6) << i;
}

}  // namespace
}  // namespace sojourn
