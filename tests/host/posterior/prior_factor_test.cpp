#include "sojourn/prior_factor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "posterior_cases.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using namespace cases;
using testing::HasSubstr;

const Observations kTimes = times("time\n0.4\n1.7\n2.6\n");

Posterior flat_posterior() {
  return make_posterior(two_stages(), kTimes,
                        {{"a", Prior(PriorFamily::kUniform, 0.1, 4)}, {"b", Prior(PriorFamily::kGamma, 2, 1)}});
}

/// a from N(1, 2), as in the guide, and b near it: not a product of priors.
double joint_factor(std::span<const double> theta, std::span<double> slope) {
  const double a = theta[0], b = theta[1];
  if (!slope.empty()) {
    slope[0] = -(a - 1) / 4 - 3 * (a - b);
    slope[1] = 3 * (a - b);
  }
  return -(a - 1) * (a - 1) / 8 - 1.5 * (a - b) * (a - b);
}

/// The factor at unconstrained places in long double: a = 0.1 + 3.9 / (1 + e^-z), b = e^z.
Complex factor_on_line(Complex z0, Complex z1) {
  const Complex a = 0.1L + 3.9L / (1.0L + std::exp(-z0)), b = std::exp(z1);
  return -(a - 1.0L) * (a - 1.0L) / 8.0L - 1.5L * (a - b) * (a - b);
}

TEST(PosteriorWithFactor, AddsTheFactorAndItsScore) {
  const Posterior posterior = flat_posterior();
  const PosteriorWithFactor target(posterior, joint_factor);
  ASSERT_EQ(target.dimension(), 2);
  Matrix<double> z(3, 2), score(3, 2), own(3, 2);
  const double places[3][2] = {{-1.5, 0.3}, {0.2, -0.7}, {2.5, 1.4}};
  for (std::size_t i = 0; i < 3; ++i) std::copy_n(places[i], 2, z.row(i).begin());
  std::vector<double> value(3), alone(3), without_score(3);
  std::vector<std::string> status;
  posterior.evaluate(std::as_const(z).view(), alone, own.view(), status);
  target.evaluate(std::as_const(z).view(), value, score.view(), status);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(status[i], "");
    const ValueAndSlope by0 = complex_step([&](Complex u) { return factor_on_line(u, z.row(i)[1]); }, z.row(i)[0]);
    const ValueAndSlope by1 = complex_step([&](Complex u) { return factor_on_line(z.row(i)[0], u); }, z.row(i)[1]);
    EXPECT_NEAR(value[i] - alone[i], by0.value, 1e-12 * (1 + std::abs(value[i])));
    EXPECT_NEAR(score.row(i)[0] - own.row(i)[0], by0.slope, 1e-12 * (1 + std::abs(score.row(i)[0])));
    EXPECT_NEAR(score.row(i)[1] - own.row(i)[1], by1.slope, 1e-12 * (1 + std::abs(score.row(i)[1])));
  }
  target.evaluate(std::as_const(z).view(), without_score, {}, status);
  EXPECT_EQ(without_score, value);
}

TEST(PosteriorWithFactor, APlaceThatItRefusesIsToldAndNoOther) {
  const Posterior posterior = flat_posterior();
  const auto text_of = [&](const LogPriorFactor& factor) {
    const PosteriorWithFactor target(posterior, factor);
    Matrix<double> z(2, 2), score(2, 2);
    z.row(1)[1] = -1;
    std::vector<double> value(2);
    std::vector<std::string> status;
    target.evaluate(std::as_const(z).view(), value, score.view(), status);
    EXPECT_EQ(status[1], "");
    EXPECT_TRUE(std::isfinite(value[1]) && std::isfinite(score.row(1)[1]));
    EXPECT_TRUE(std::isnan(value[0]) && std::isnan(score.row(0)[0]) && std::isnan(score.row(0)[1]));
    return status[0];
  };
  // Only where b = 1.
  const auto at = [](double bad, double slope) {
    return [=](std::span<const double> theta, std::span<double> by) {
      std::ranges::fill(by, theta[1] > 0.5 ? slope : 0.0);
      return theta[1] > 0.5 ? bad : 0.0;
    };
  };
  EXPECT_THAT(text_of(at(-kInfinity, 0)), HasSubstr("is -inf at a = 2.05, b = 1"));
  EXPECT_THAT(text_of(at(kNan, 0)), HasSubstr("is nan at a = 2.05, b = 1"));
  EXPECT_THAT(text_of(at(0, kNan)), HasSubstr("derivative by a of the prior's own factor is nan"));
  EXPECT_THAT(text_of([](std::span<const double> theta, std::span<double>) -> double {
                if (theta[1] > 0.5) throw std::runtime_error("no such table");
                return 0;
              }),
              HasSubstr("a = 2.05, b = 1: no such table"));
  EXPECT_THROW(PosteriorWithFactor(posterior, nullptr), UsageError);
}

}  // namespace
}  // namespace sojourn
