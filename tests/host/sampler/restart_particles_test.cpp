#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "host/sampler/analytic_targets.hpp"
#include "sampler/whitening.hpp"
#include "sojourn/error.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

/// Points on a bent line, so that mean and covariance have no zeros.
Matrix<double> some_particles(std::size_t n) {
  Matrix<double> particles(n, 2);
  for (std::size_t i = 0; i < n; ++i) {
    particles(i, 0) = 3 + std::sin(0.7 * static_cast<double>(i));
    particles(i, 1) = 10 * std::cos(0.9 * static_cast<double>(i)) + 4 * particles(i, 0);
  }
  return particles;
}

testing::AnalyticTarget anywhere(std::int32_t dimension = 2) {
  return testing::AnalyticTarget(dimension, [](std::span<const double>, std::span<double> score) {
    for (double& value : score) value = 0;
    return 0.0;
  });
}

TEST(RestartParticles, AsManyAreTheSameAndFewerAreSpreadOverAll) {
  const Matrix<double> particles = some_particles(7);
  EXPECT_EQ(restart_particles(anywhere(), particles.view(), 7, 1, 1).values(), particles.values());
  const Matrix<double> fewer = restart_particles(anywhere(), particles.view(), 3, 1, 1);
  for (const auto& [to, from] : {std::pair<std::size_t, std::size_t>{0, 0}, {1, 2}, {2, 4}})
    for (std::size_t c = 0; c < 2; ++c) EXPECT_EQ(fewer(to, c), particles(from, c));
}

TEST(RestartParticles, MoreHaveTheirMeanAndCovariance) {
  const Matrix<double> particles = some_particles(50);
  const std::vector<double> mean = particle_mean(particles.view());
  const Matrix<double> covariance = particle_covariance(particles.view(), mean);
  constexpr std::int64_t kCount = 40000;
  const Matrix<double> more = restart_particles(anywhere(), particles.view(), kCount, 1, 1);
  const std::vector<double> more_mean = particle_mean(more.view());
  const Matrix<double> more_covariance = particle_covariance(more.view(), more_mean);
  // Five standard errors of a mean and of a covariance of normal draws.
  const double root = std::sqrt(static_cast<double>(kCount));
  for (std::size_t a = 0; a < 2; ++a) {
    EXPECT_NEAR(more_mean[a], mean[a], 5 * std::sqrt(covariance(a, a)) / root);
    for (std::size_t b = 0; b < 2; ++b)
      EXPECT_NEAR(more_covariance(a, b), covariance(a, b),
                  5 * std::sqrt(2 * covariance(a, a) * covariance(b, b)) / root);
  }
}

TEST(RestartParticles, DrawsAreKeyedBySeedAndStage) {
  const Matrix<double> particles = some_particles(9);
  const auto draws = [&](std::uint64_t seed, int stage) {
    return restart_particles(anywhere(), particles.view(), 20, seed, stage).values();
  };
  EXPECT_EQ(draws(1, 1), draws(1, 1));
  EXPECT_NE(draws(1, 1), draws(2, 1));
  EXPECT_NE(draws(1, 1), draws(1, 2));
}

TEST(RestartParticles, ADrawThatCannotBeEvaluatedIsPulledIn) {
  // Only a half plane can be evaluated; all particles lie in it.
  Matrix<double> particles = some_particles(9);
  const testing::AnalyticTarget half(2, [](std::span<const double> z, std::span<double> score) {
    score[0] = score[1] = 0;
    return z[0] < 2 ? std::nan("") : 0.0;
  });
  for (std::size_t i = 0; i < 9; ++i) particles(i, 0) = 2.01 + 0.1 * static_cast<double>(i);
  const Matrix<double> more = restart_particles(half, particles.view(), 200, 1, 1);
  for (std::size_t i = 0; i < 200; ++i) EXPECT_GE(more(i, 0), 2);
  const testing::AnalyticTarget nowhere(2, [](std::span<const double>, std::span<double>) { return std::nan(""); });
  EXPECT_THROW(restart_particles(nowhere, particles.view(), 200, 1, 1), ParticleError);
}

TEST(RestartParticles, FewerParticlesThanDimensionsStillSpread) {
  Matrix<double> particles(3, 4);
  for (std::size_t k = 0; k < 12; ++k) particles.values()[k] = std::sin(static_cast<double>(k * k));
  const Matrix<double> more = restart_particles(anywhere(4), particles.view(), 8, 1, 1);
  for (std::size_t i = 1; i < 8; ++i) EXPECT_NE(more(i, 3), more(0, 3));
  EXPECT_THROW(restart_particles(anywhere(4), Matrix<double>(1, 4).view(), 8, 1, 1), UsageError);
}

}  // namespace
}  // namespace sojourn
