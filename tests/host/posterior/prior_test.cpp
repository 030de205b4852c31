#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "posterior/prior_on_line.hpp"
#include "sojourn/error.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct DensityValue {
  PriorFamily family;
  double a, b, theta, log_density, score, cdf, survival;
};
struct QuantileValue {
  PriorFamily family;
  double a, b, p, quantile, upper_quantile;
};
#include "prior_values.inc"

prior_density::LineDensity prior_on_line(const Prior& prior, const Transform& transform, double log_mass, double z) {
  return prior_density::on_line(line_prior(prior, transform, log_mass), z);
}

std::string text(const Prior& prior, double at) { return prior.describe() + " at " + std::to_string(at); }

double relative_error(double value, double truth) {
  return value == truth ? 0 : std::abs(value - truth) / std::max(std::abs(truth), 1e-300);
}

TEST(Prior, DensitiesAndTailsMatchHighPrecision) {
  for (const DensityValue& v : kDensityValues) {
    const Prior prior(v.family, v.a, v.b);
    SCOPED_TRACE(text(prior, v.theta));
    // A log density is a sum of terms as large as b theta, (a - 1) log theta and log Gamma(a), each rounded.
    const double size = 1 + std::abs(v.a * std::log(v.theta > 0 ? v.theta : 1)) + std::abs(std::lgamma(v.a)) +
                        std::abs(v.b * v.theta) + std::abs(v.log_density);
    EXPECT_NEAR(prior.log_density(v.theta), v.log_density, 4e-16 * size);
    // Two opposing terms of the score round on their own.
    const double terms = std::abs(v.score) + std::abs(v.b) + std::abs((v.a + 1) / v.theta) +
                         (v.family == PriorFamily::kBeta ? v.b / (1 - v.theta) : 0);
    EXPECT_NEAR(prior.score(v.theta), v.score, 4e-16 * terms + 1e-15 * std::abs(v.score));
    // Incomplete gamma and beta functions lose digits in proportion to the larger shape.
    const double tolerance = 2e-14 * (10 + std::max(v.a, v.b));
    EXPECT_LT(relative_error(prior.cdf(v.theta), v.cdf), tolerance);
    EXPECT_LT(relative_error(prior.survival(v.theta), v.survival), tolerance);
  }
}

TEST(Prior, QuantilesMatchHighPrecision) {
  for (const QuantileValue& v : kQuantileValues) {
    const Prior prior(v.family, v.a, v.b);
    SCOPED_TRACE(text(prior, v.p));
    // p itself is rounded: a relative error of 1e-16 in p moves a gamma of shape a by 1e-16 / a, and 1 - p carries it
    // into the far tail 1e-12 wide; incomplete functions add what the test above allows.
    const double tolerance = 1e-13 + 1e-14 / std::min(1.0, v.a > 0 ? v.a : 1) + 2e-15 * std::max(v.a, v.b);
    const double smallest = std::numeric_limits<double>::min();
    const auto expected = [&](double truth) {
      if (prior.lower() == 0) truth = std::max(truth, smallest);
      return prior.upper() == 1 && truth >= 1 ? std::nextafter(1.0, 0.0) : truth;
    };
    // A normal law's quantiles pass through zero, where only its sd sets a scale.
    const double scale = v.family == PriorFamily::kNormal ? v.b : 0;
    const auto error = [&](double value, double truth) {
      return relative_error(value, truth) * std::abs(truth) / std::max(std::abs(truth), scale);
    };
    EXPECT_LT(error(prior.quantile(v.p), expected(v.quantile)), tolerance);
    EXPECT_LT(error(prior.upper_quantile(v.p), expected(v.upper_quantile)), tolerance);
  }
}

TEST(Prior, IsNormalised) {
  // Trapezoid rule over the unconstrained line: exponentially accurate for these analytic integrands.
  for (const Prior& prior :
       {Prior(PriorFamily::kNormal, 1, 2), Prior(PriorFamily::kLognormal, 0.5, 0.7), Prior(PriorFamily::kGamma, 2.5, 3),
        Prior(PriorFamily::kHalfCauchy, 2), Prior(PriorFamily::kBeta, 0.5, 2), Prior(PriorFamily::kUniform, -1, 3),
        Prior(PriorFamily::kExponential, 0.2)}) {
    const Transform transform = Transform::for_support(prior.lower(), prior.upper());
    double sum = 0;
    const double step = 1.0 / 64;
    for (double z = -100; z <= 100; z += step) sum += std::exp(prior_on_line(prior, transform, 0, z).value) * step;
    EXPECT_NEAR(sum, 1, 1e-12) << prior.describe();
  }
}

TEST(Prior, OutsideTheSupportIsMinusInfinity) {
  EXPECT_EQ(Prior(PriorFamily::kGamma, 2, 1).log_density(-1), -kInfinity);
  EXPECT_EQ(Prior(PriorFamily::kLognormal, 0, 1).log_density(0), -kInfinity);
  EXPECT_EQ(Prior(PriorFamily::kBeta, 2, 2).log_density(1.5), -kInfinity);
  EXPECT_EQ(Prior(PriorFamily::kUniform, 1, 2).log_density(0.99), -kInfinity);
  EXPECT_TRUE(std::isnan(Prior(PriorFamily::kUniform, 1, 2).score(0.99)));
  EXPECT_EQ(Prior(PriorFamily::kExponential, 2).log_density(0), std::log(2));
  EXPECT_EQ(Prior(PriorFamily::kBeta, 1, 3).log_density(0), Prior(PriorFamily::kBeta, 1, 3).log_density(0));
  EXPECT_EQ(Prior(PriorFamily::kBeta, 1, 1).log_density(1), 0);
}

template <class Function>
std::string message_of(const Function& function) {
  try {
    function();
  } catch (const ModelError& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(PriorNames, EveryFamilyOfRunFiles) {
  EXPECT_EQ(Prior::from_names("lognormal", {{"mean", 0}, {"sd", 1}}).describe(), "lognormal(mean=0, sd=1)");
  EXPECT_EQ(Prior::from_names("normal", {{"mean", -2}, {"sd", 0.5}}).describe(), "normal(mean=-2, sd=0.5)");
  EXPECT_EQ(Prior::from_names("gamma", {{"rate", 3}, {"shape", 2}}).describe(), "gamma(shape=2, rate=3)");
  EXPECT_EQ(Prior::from_names("half_cauchy", {{"scale", 2}}).describe(), "half_cauchy(scale=2)");
  EXPECT_EQ(Prior::from_names("beta", {{"a", 2}, {"b", 3}}).describe(), "beta(a=2, b=3)");
  EXPECT_EQ(Prior::from_names("uniform", {{"lower", -1}, {"upper", 3}}).describe(), "uniform(lower=-1, upper=3)");
  EXPECT_EQ(Prior::from_names("exponential", {{"rate", 3}}).describe(), "exponential(rate=3)");
}

TEST(PriorNames, Row32BadPriors) {
  using testing::HasSubstr;
  const auto make = [](const std::string& family, const std::map<std::string, double>& values) {
    return message_of([&] { Prior::from_names(family, values); });
  };
  EXPECT_THAT(make("normal", {{"mean", 0}, {"sd", 0}}), HasSubstr("sd 0 must be > 0"));
  EXPECT_THAT(make("lognormal", {{"mean", 0}, {"sd", -1}}), HasSubstr("sd -1 must be > 0"));
  EXPECT_THAT(make("uniform", {{"lower", 2}, {"upper", 2}}), HasSubstr("lower 2 must be < upper 2"));
  EXPECT_THAT(make("uniform", {{"lower", 0}, {"upper", kInfinity}}), HasSubstr("must be finite"));
  EXPECT_THAT(make("gamma", {{"shape", 0}, {"rate", 1}}), HasSubstr("shape 0 must be > 0"));
  EXPECT_THAT(make("gamma", {{"shape", 1}, {"rate", NAN}}), HasSubstr("must be finite"));
  EXPECT_THAT(make("half_cauchy", {{"scale", -2}}), HasSubstr("scale -2 must be > 0"));
  EXPECT_THAT(make("lognorml", {{"mean", 0}, {"sd", 1}}), HasSubstr("unknown prior family 'lognorml'"));
  EXPECT_THAT(make("lognorml", {{"mean", 0}, {"sd", 1}}), HasSubstr("did you mean 'lognormal'"));
  EXPECT_THAT(make("gamma", {{"shape", 1}, {"rat", 1}}), HasSubstr("did you mean 'rate'"));
  EXPECT_THAT(make("gamma", {{"shape", 1}}), HasSubstr("value 'rate' is missing"));
  EXPECT_THAT(make("exponential", {{"rate", 1}, {"b", 1}}), HasSubstr("unknown value 'b'"));
}

TEST(PriorOnLine, DerivativeMatchesDifferences) {
  // Central differences of order 4 with step 1e-3: truncation 1e-13 times the fifth derivative, rounding 1e-13.
  for (const Prior& prior :
       {Prior(PriorFamily::kNormal, 1, 2), Prior(PriorFamily::kLognormal, 0.5, 0.7), Prior(PriorFamily::kGamma, 2.5, 3),
        Prior(PriorFamily::kHalfCauchy, 2), Prior(PriorFamily::kBeta, 0.5, 2), Prior(PriorFamily::kUniform, -1, 3),
        Prior(PriorFamily::kExponential, 0.2)}) {
    for (const auto& [lower, upper] :
         {std::pair{-kInfinity, kInfinity}, {0.0, kInfinity}, {0.1, 0.8}, {-kInfinity, 0.6}}) {
      const double low = std::max(lower, prior.lower()), high = std::min(upper, prior.upper());
      const Transform transform = Transform::for_support(low, high);
      const double mass = log_prior_mass(prior, low, high);
      for (const double z : {-3.0, -0.7, 0.0, 0.4, 2.5}) {
        const auto value = [&](double at) { return prior_on_line(prior, transform, mass, at).value; };
        const double h = 1e-3;
        const double difference =
            (8 * (value(z + h) - value(z - h)) - (value(z + 2 * h) - value(z - 2 * h))) / (12 * h);
        const double derivative = prior_on_line(prior, transform, mass, z).derivative;
        EXPECT_NEAR(derivative, difference, 2e-10 * (1 + std::abs(value(z)) + std::abs(derivative)))
            << prior.describe() << " on " << transform.describe() << " at " << z;
      }
    }
  }
}

TEST(PriorOnLine, IsFiniteFarOut) {
  for (const Prior& prior :
       {Prior(PriorFamily::kGamma, 2.5, 3), Prior(PriorFamily::kGamma, 1e5, 1), Prior(PriorFamily::kHalfCauchy, 2),
        Prior(PriorFamily::kBeta, 0.5, 2), Prior(PriorFamily::kUniform, -1, 3), Prior(PriorFamily::kUniform, 0, 1),
        Prior(PriorFamily::kLognormal, 0, 1), Prior(PriorFamily::kExponential, 1)}) {
    const Transform transform = Transform::for_support(prior.lower(), prior.upper());
    for (const double z : {-700.0, 700.0}) {
      const prior_density::LineDensity density = prior_on_line(prior, transform, 0, z);
      EXPECT_TRUE(std::isfinite(density.value)) << prior.describe() << " at " << z;
      EXPECT_TRUE(std::isfinite(density.derivative)) << prior.describe() << " at " << z;
    }
  }
  // The beta law's tails in z are exponential: slopes a below and -b above.
  const Prior beta(PriorFamily::kBeta, 0.5, 2);
  EXPECT_DOUBLE_EQ(prior_on_line(beta, Transform::for_support(0, 1), 0, -700).derivative, 0.5);
  EXPECT_DOUBLE_EQ(prior_on_line(beta, Transform::for_support(0, 1), 0, 700).derivative, -2);
}

TEST(PriorOnLine, CutPriorsAreNormalisedAgain) {
  for (const auto& [prior, lower, upper] : {std::tuple{Prior(PriorFamily::kNormal, -3, 0.5), 0.0, kInfinity},
                                            {Prior(PriorFamily::kNormal, 1, 2), 0.0, 4.0},
                                            {Prior(PriorFamily::kGamma, 2, 1), 0.5, 3.0},
                                            {Prior(PriorFamily::kNormal, 1, 2), -kInfinity, -2.0},
                                            {Prior(PriorFamily::kUniform, 0, 1e6), 0.0, 2.0}}) {
    const Transform transform = Transform::for_support(lower, upper);
    const double mass = log_prior_mass(prior, lower, upper);
    double sum = 0, below_median = 0;
    const double median = transform.to_unconstrained(truncated_quantile(prior, lower, upper, 0.5));
    const double step = 1.0 / 512;
    for (double z = -60; z <= 60; z += step) {
      const double part = std::exp(prior_on_line(prior, transform, mass, z).value) * step;
      sum += part;
      if (z < median) below_median += part;
    }
    EXPECT_NEAR(sum, 1, 1e-11) << prior.describe();
    // The sum up to the median is cut at a grid point, worth at most one step of density.
    EXPECT_NEAR(below_median, 0.5, 2 * step) << prior.describe();
  }
}

}  // namespace
}  // namespace sojourn
