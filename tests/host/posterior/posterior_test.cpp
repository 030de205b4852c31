#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "posterior_cases.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using namespace cases;
using testing::HasSubstr;

const Observations kMixed = times("time,event,lower,upper,entry\n1.2,1,,,\n0.3,1,,,\n2,0,,,\n,,1,3,\n2.5,1,,,1\n");

/// Log-normal log density on the line, with its Jacobian, written down again.
Complex lognormal_on_line(Complex z, long double mean, long double sd) {
  const Complex standard = (z - mean) / sd;
  return -0.5L * standard * standard - std::log(sd) - 0.5L * std::log(2 * 3.14159265358979323846264338327950288L);
}

/// Value 2e-9 per observation, the certified accuracy twice; score a hundred times that, for its parts' size.
constexpr double kValue = 1e-7;
constexpr double kScore = 1e-6;

TEST(Posterior, LogDensityAndScoreMatchTheClosedForm) {
  const Posterior posterior = make_posterior(erlang(3), kMixed, {{"rate", Prior(PriorFamily::kLognormal, 0.2, 0.7)}});
  ASSERT_EQ(posterior.dimension(), 1);
  for (const double z : {-1.0, 0.3, 1.1}) {
    const ValueAndSlope truth = complex_step(
        [](Complex u) { return erlang_log_likelihood(3, std::exp(u), kMixed) + lognormal_on_line(u, 0.2L, 0.7L); }, z);
    const Evaluation got = evaluate(posterior, {{z}});
    EXPECT_EQ(got.status[0], "");
    EXPECT_NEAR(got.value[0], truth.value, kValue);
    EXPECT_NEAR(got.gradient(0, 0), truth.slope, kScore);
  }
}

TEST(Posterior, LogitScaleMatchesTheClosedForm) {
  // Uniform on (0.5, 3): the density in z is theta' / 2.5 times the likelihood.
  const Posterior posterior = make_posterior(erlang(2), kMixed, {{"rate", Prior(PriorFamily::kUniform, 0.5, 3)}});
  for (const double z : {-2.0, 0.4, 3.0}) {
    const ValueAndSlope truth = complex_step(
        [](Complex u) {
          const Complex share = 1.0L / (1.0L + std::exp(-u));
          return erlang_log_likelihood(2, 0.5L + 2.5L * share, kMixed) + std::log(share * (1.0L - share));
        },
        z);
    const Evaluation got = evaluate(posterior, {{z}});
    EXPECT_NEAR(got.value[0], truth.value, kValue);
    EXPECT_NEAR(got.gradient(0, 0), truth.slope, kScore);
  }
}

TEST(Posterior, DerivedRatesFollowTheChainRule) {
  const Posterior posterior =
      make_posterior(exponential_of_mean(), kMixed, {{"N", Prior(PriorFamily::kLognormal, 0, 1)}});
  const double mean = 1.7;
  const ValueAndSlope natural =
      complex_step([](Complex n) { return erlang_log_likelihood(1, 1.0L / n, kMixed); }, mean);
  const Evaluation likelihood = log_likelihood(posterior, {{mean}});
  EXPECT_NEAR(likelihood.value[0], natural.value, kValue);
  EXPECT_NEAR(likelihood.gradient(0, 0), natural.slope, kScore);
  const double z = std::log(mean);
  const ValueAndSlope line = complex_step(
      [](Complex u) { return erlang_log_likelihood(1, std::exp(-u), kMixed) + lognormal_on_line(u, 0, 1); }, z);
  const Evaluation density = evaluate(posterior, {{z}});
  EXPECT_NEAR(density.value[0], line.value, kValue);
  EXPECT_NEAR(density.gradient(0, 0), line.slope, kScore);
}

TEST(Posterior, FixedParametersStayPut) {
  const Prior prior_a(PriorFamily::kGamma, 2, 1), prior_b(PriorFamily::kLognormal, 0, 1);
  const Posterior both = make_posterior(two_stages(), kMixed, {{"a", prior_a}, {"b", prior_b}});
  const Posterior one = make_posterior(two_stages(), kMixed, {{"b", prior_b}}, {{"a", 0.8}});
  ASSERT_EQ(both.dimension(), 2);
  ASSERT_EQ(one.dimension(), 1);
  EXPECT_EQ(one.free()[0].name, "b");
  EXPECT_EQ(one.free()[0].parameter, 1);
  std::vector<double> theta(2);
  one.to_theta(std::vector<double>{0.5}, theta);
  EXPECT_EQ(theta, (std::vector<double>{0.8, std::exp(0.5)}));
  const Evaluation full = evaluate(both, {{std::log(0.8), 0.5}});
  const Evaluation part = evaluate(one, {{0.5}});
  // The two densities differ by the prior of a on its line: log p(a) + log a.
  EXPECT_NEAR(full.value[0] - part.value[0], prior_a.log_density(0.8) + std::log(0.8), kValue);
  EXPECT_NEAR(full.gradient(0, 1), part.gradient(0, 0), kScore);
  // A prior beside a fixed value only checks it.
  const Posterior again = make_posterior(two_stages(), kMixed, {{"a", prior_a}, {"b", prior_b}}, {{"a", 0.8}});
  EXPECT_EQ(evaluate(again, {{0.5}}).value, part.value);
}

/// Integral of exp(function) over the line by the trapezoid rule, which is exponentially accurate here.
double integrate(const Posterior& posterior, double low, double high, int steps,
                 const std::function<double(double, double)>& log_integrand) {
  std::vector<std::vector<double>> positions;
  for (int i = 0; i <= steps; ++i) positions.push_back({low + (high - low) * i / steps});
  const Evaluation at = evaluate(posterior, positions);
  double sum = 0;
  for (int i = 0; i <= steps; ++i) sum += std::exp(log_integrand(positions[i][0], at.value[i]));
  return sum * (high - low) / steps;
}

TEST(Posterior, JacobianGivesTheEvidence) {
  // Gamma(2.5, rate 1.5) prior and exponential data are conjugate: the evidence on the natural scale is
  // b^a / Gamma(a) * Gamma(a + n) / (b + sum t)^(a + n).
  const double a = 2.5, b = 1.5;
  const Observations data = times("time\n0.4\n1.1\n2.3\n");
  const Posterior posterior = make_posterior(erlang(1), data, {{"rate", Prior(PriorFamily::kGamma, a, b)}});
  const double evidence = std::exp(a * std::log(b) - std::lgamma(a) + std::lgamma(a + 3) - (a + 3) * std::log(b + 3.8));
  const Transform& transform = posterior.free()[0].transform;
  const auto over_line = [&](double jacobians) {
    return integrate(posterior, -12, 5, 200,
                     [&](double z, double value) { return value + (jacobians - 1) * transform.log_jacobian(z); });
  };
  EXPECT_NEAR(over_line(1) / evidence, 1, 1e-7);
  // Dropped or with the wrong sign the Jacobian misses by far: the test would notice.
  EXPECT_GT(std::abs(over_line(0) / evidence - 1), 0.1);
  EXPECT_GT(std::abs(over_line(-1) / evidence - 1), 0.1);
}

TEST(Posterior, JacobianOfTheLogitGivesTheEvidence) {
  // Beta(2, 3) prior and geometric counts: evidence B(2 + n, 3 + sum (k - 1)) / B(2, 3).
  const Posterior posterior =
      make_posterior(negative_binomial(1), counts("count\n3\n1\n5\n"), {{"p", Prior(PriorFamily::kBeta, 2, 3)}});
  const auto log_beta = [](double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); };
  const double evidence = std::exp(log_beta(5, 9) - log_beta(2, 3));
  const Transform& transform = posterior.free()[0].transform;
  const auto over_line = [&](double jacobians) {
    return integrate(posterior, -14, 14, 400,
                     [&](double z, double value) { return value + (jacobians - 1) * transform.log_jacobian(z); });
  };
  EXPECT_NEAR(over_line(1) / evidence, 1, 1e-7);
  EXPECT_GT(std::abs(over_line(0) / evidence - 1), 0.1);
  EXPECT_GT(std::abs(over_line(-1) / evidence - 1), 0.1);
}

TEST(Posterior, CutPriorIsNormalisedAgain) {
  // normal(-1, 2) on rates > 0: the likelihood of one exponential time t integrates against the cut density.
  const Posterior posterior =
      make_posterior(erlang(1), times("time\n0.7\n"), {{"rate", Prior(PriorFamily::kNormal, -1, 2)}});
  EXPECT_EQ(posterior.free()[0].lower, 0);
  EXPECT_THAT(posterior.free()[0].support, HasSubstr("cut to the range the model declares"));
  ASSERT_EQ(posterior.warnings().size(), 1u);
  EXPECT_THAT(posterior.warnings()[0], HasSubstr("parameter 'rate': prior normal(mean=-1, sd=2) is cut to (0, inf)"));
  double natural = 0, mass = 0;
  for (double r = 5e-4; r < 30; r += 1e-3) {  // midpoint rule, error 1e-8
    const double p = std::exp(-0.5 * (r + 1) * (r + 1) / 4);
    natural += p * r * std::exp(-0.7 * r);
    mass += p;
  }
  const double evidence = integrate(posterior, -25, 5, 600, [](double, double value) { return value; });
  EXPECT_NEAR(evidence / (natural / mass), 1, 1e-6);
}

TEST(Posterior, ThreadsNeverChangeTheBits) {
  const std::map<std::string, Prior> priors = {{"a", Prior(PriorFamily::kGamma, 2, 1)},
                                               {"b", Prior(PriorFamily::kLognormal, 0, 1)}};
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> positions(37, std::vector<double>(2));
  for (auto& row : positions)
    for (double& z : row) z = normal(random);
  positions[20] = {NAN, 0};  // a bad particle disturbs no other
  EvaluatorOptions options;
  options.num_threads = 1;
  const Posterior one = make_posterior(two_stages(), kMixed, priors, {}, options);
  options.num_threads = 2;
  const Posterior two = make_posterior(two_stages(), kMixed, priors, {}, options);
  const Evaluation a = evaluate(one, positions);
  const Evaluation b = evaluate(two, positions);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    EXPECT_EQ(a.status[i], b.status[i]);
    if (i == 20) {
      EXPECT_TRUE(std::isnan(a.value[i]));
      EXPECT_THAT(a.status[i], HasSubstr("not finite"));
      continue;
    }
    EXPECT_EQ(a.status[i], "");
    EXPECT_EQ(a.value[i], b.value[i]);
    EXPECT_EQ(a.gradient(i, 0), b.gradient(i, 0));
    EXPECT_EQ(a.gradient(i, 1), b.gradient(i, 1));
    // Nor does the batch: a particle alone gives the same bits.
    const Evaluation alone = evaluate(one, {positions[i]});
    EXPECT_EQ(alone.value[0], a.value[i]);
    EXPECT_EQ(alone.gradient(0, 1), a.gradient(i, 1));
  }
  const Posterior::RouteCounts first = one.route_counts(), second = two.route_counts();
  // One certified point at least for each value the 36 good particles read, seen again one by one on the first.
  const auto total = [](const Posterior::RouteCounts& c) {
    return c.contour + c.saddlepoint + c.uniformization + c.stepping + c.closed;
  };
  EXPECT_GE(total(second), 36 * 5);
  EXPECT_EQ(total(first), 2 * total(second));
  EXPECT_EQ(first.worst_error_bound, second.worst_error_bound);
}

TEST(Posterior, DensityAloneEqualsDensityWithScore) {
  const Posterior posterior = make_posterior(erlang(3), kMixed, {{"rate", Prior(PriorFamily::kGamma, 2, 1)}});
  std::vector<double> z = {0.3}, value(1);
  std::vector<std::string> status;
  posterior.evaluate(MatrixView<const double>(z.data(), 1, 1), value, {}, status);
  EXPECT_NEAR(value[0], evaluate(posterior, {{0.3}}).value[0], 1e-8);
  EXPECT_THROW(posterior.evaluate(MatrixView<const double>(z.data(), 1, 1), {}, {}, status), ShapeError);
}

TEST(Posterior, NegativeWeightsAreFlaggedNotThrown) {
  // Exit at rate 2 - x, with x in (0, 5) by its prior.
  Model model =
      make_model(TimeKind::kContinuous, 2, {{0, 1.0}}, {{0, 1, 2, {{0, -1.0}}}}, {{"x"}}, RateMap::identity(1));
  const Posterior posterior =
      make_posterior(std::move(model), times("time\n1\n"), {{"x", Prior(PriorFamily::kUniform, 0, 5)}});
  const Evaluation got = log_likelihood(posterior, {{0.5}, {3.0}});
  EXPECT_NEAR(got.value[0], std::log(1.5) - 1.5, 1e-8);
  EXPECT_NEAR(got.gradient(0, 0), -1 / 1.5 + 1, 1e-7);
  EXPECT_TRUE(std::isnan(got.value[1]));
  EXPECT_TRUE(std::isnan(got.gradient(1, 0)));
  EXPECT_THAT(got.status[1], HasSubstr("edge 0 -> 1: weight -1"));
  EXPECT_THAT(got.status[1], HasSubstr("x: 3"));
  const double z = posterior.free()[0].transform.to_unconstrained(4);
  const Evaluation density = evaluate(posterior, {{z}});
  EXPECT_TRUE(std::isnan(density.value[0]));
  EXPECT_THAT(density.status[0], HasSubstr("weight -2"));
}

TEST(Posterior, RowsOfProbabilitiesAboveOneAreFlagged) {
  // Two ways out of one state, each of probability p.
  Model model = make_model(TimeKind::kDiscrete, 3, {{0, 1.0}}, {{0, 1, 0, {{0, 1.0}}}, {0, 2, 0, {{0, 1.0}}}},
                           {{"p", 0, 1}}, RateMap::identity(1));
  const Posterior posterior =
      make_posterior(std::move(model), counts("count\n2\n"), {{"p", Prior(PriorFamily::kUniform, 0, 1)}});
  const Evaluation got = log_likelihood(posterior, {{0.3}, {0.8}});
  EXPECT_NEAR(got.value[0], std::log(0.6 * 0.4), 1e-9);
  EXPECT_TRUE(std::isnan(got.value[1]));
  EXPECT_THAT(got.status[1], HasSubstr("sum to 1.6, more than 1"));
}

TEST(Posterior, ZeroDensityAtOneThetaNamesTheRow) {
  // With p = 1 both steps are certain, and 2 is the only count.
  Model model = make_model(TimeKind::kDiscrete, 3, {{0, 1.0}}, {{0, 1, 0, {{0, 1.0}}}, {1, 2, 1, {}}}, {{"p", 0, 1}},
                           RateMap::identity(1));
  const Posterior posterior =
      make_posterior(std::move(model), counts("count\n2\n4\n"), {{"p", Prior(PriorFamily::kUniform, 0, 1)}});
  const Evaluation got = log_likelihood(posterior, {{1.0}});
  EXPECT_EQ(got.value[0], -kInfinity);
  EXPECT_THAT(got.status[0], HasSubstr("t.csv: row 3: count 4 has zero density at theta = {p: 1}"));
}

TEST(Posterior, PriorDraws) {
  const Posterior posterior = make_posterior(
      two_stages(), kMixed, {{"a", Prior(PriorFamily::kNormal, -1, 2)}, {"b", Prior(PriorFamily::kGamma, 0.5, 2)}});
  const std::size_t n = 4000;
  Matrix<double> z(n, 2), few(5, 2), other(5, 2);
  posterior.sample_prior(7, z.view());
  posterior.sample_prior(7, few.view());
  posterior.sample_prior(8, other.view());
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(few(i, 0), z(i, 0));  // row i depends on (seed, i) alone
    EXPECT_NE(other(i, 0), z(i, 0));
  }
  // Kolmogorov-Smirnov against each cut prior; 1.95 / sqrt(n) is exceeded once in a thousand seeds.
  for (std::size_t j = 0; j < 2; ++j) {
    const Posterior::Free& free = posterior.free()[j];
    std::vector<double> levels;
    const double below = free.prior.cdf(free.lower);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_TRUE(std::isfinite(z(i, j)));
      levels.push_back((free.prior.cdf(free.transform.to_natural(z(i, j))) - below) / (1 - below));
    }
    std::sort(levels.begin(), levels.end());
    double distance = 0;
    for (std::size_t i = 0; i < n; ++i)
      distance = std::max(distance, std::abs(levels[i] - (static_cast<double>(i) + 0.5) / static_cast<double>(n)));
    EXPECT_LT(distance, 1.95 / std::sqrt(static_cast<double>(n))) << free.name;
  }
}

/// The message and exit code of what a constructor throws.
std::pair<ExitCode, std::string> refusal(Model model, Observations data, const std::map<std::string, Prior>& priors,
                                         const std::map<std::string, double>& fixed = {}) {
  try {
    make_posterior(std::move(model), std::move(data), priors, fixed);
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  }
  return {ExitCode::kDone, "accepted"};
}

auto refused(ExitCode code, const std::string& text) { return testing::Pair(code, HasSubstr(text)); }

TEST(Posterior, NamesOfPriors) {
  const Prior prior(PriorFamily::kGamma, 2, 1);
  EXPECT_THAT(refusal(erlang(1), kMixed, {{"rat", prior}}),
              refused(ExitCode::kInvalidFile, "priors: the model has no parameter 'rat'; did you mean 'rate'"));
  EXPECT_THAT(refusal(erlang(1), kMixed, {{"rate", prior}}, {{"raet", 1}}),
              refused(ExitCode::kInvalidFile, "fixed: the model has no parameter 'raet'; did you mean 'rate'"));
  EXPECT_THAT(refusal(two_stages(), kMixed, {{"a", prior}}),
              refused(ExitCode::kInvalidFile, "parameter 'b' has neither a prior nor a fixed value"));
  EXPECT_THAT(refusal(negative_binomial(1), counts("count\n1\n"), {{"p", Prior(PriorFamily::kUniform, 2, 3)}}),
              refused(ExitCode::kInvalidFile, "lies outside (0, 1)"));
  EXPECT_THAT(refusal(erlang(1), kMixed, {{"rate", Prior(PriorFamily::kNormal, -100, 1)}}),
              refused(ExitCode::kInvalidFile, "has no mass in (0, inf)"));
}

TEST(Posterior, Row33FixedParameters) {
  const Prior prior(PriorFamily::kUniform, 1, 2);
  EXPECT_THAT(refusal(two_stages(), kMixed, {{"a", prior}, {"b", prior}}, {{"a", 3}}),
              refused(ExitCode::kInvalidFile, "fixed parameter 'a': 3 is outside the support of its prior uniform"));
  EXPECT_THAT(refusal(two_stages(), kMixed, {{"b", prior}}, {{"a", -1}}),
              refused(ExitCode::kInvalidFile, "fixed parameter 'a': -1 is outside [0, inf]"));
  EXPECT_THAT(refusal(two_stages(), kMixed, {{"b", prior}}, {{"a", NAN}}),
              refused(ExitCode::kInvalidFile, "must be finite"));
  EXPECT_THAT(refusal(two_stages(), kMixed, {}, {{"a", 1}, {"b", 2}}),
              refused(ExitCode::kInvalidFile, "every parameter is fixed (a, b)"));
}

TEST(Posterior, Row25ZeroTimeWhereTheDensityIsZero) {
  const std::map<std::string, Prior> priors = {{"rate", Prior(PriorFamily::kGamma, 2, 1)}};
  EXPECT_THAT(refusal(erlang(2), times("time\n1\n0\n"), priors),
              refused(ExitCode::kInvalidFile, "t.csv: row 3: time 0"));
  EXPECT_THAT(refusal(erlang(1), times("time\n1\n0\n"), priors), refused(ExitCode::kDone, "accepted"));
  EXPECT_THAT(refusal(erlang(2), times("time,event\n1,1\n0,0\n"), priors), refused(ExitCode::kDone, "accepted"));
}

TEST(Posterior, Row29ImpossibleObservations) {
  const std::map<std::string, Prior> priors = {{"p", Prior(PriorFamily::kBeta, 2, 2)}};
  EXPECT_THAT(refusal(negative_binomial(3), counts("count\n4\n3\n9\n2\n"), priors),
              refused(ExitCode::kNumerical, "t.csv: row 5 has zero density for every theta in prior"));
  EXPECT_THAT(refusal(negative_binomial(3), counts("count\n4\n3\n9\n2\n"), priors),
              refused(ExitCode::kNumerical, "count 2, but absorption takes at least 3 steps"));
  EXPECT_THAT(refusal(negative_binomial(3), counts("lower,upper\n2,3\n0,2\n"), priors),
              refused(ExitCode::kNumerical, "t.csv: row 3 has zero density for every theta in prior"));
  EXPECT_THAT(refusal(negative_binomial(3), counts("lower,upper\n,2\n"), priors),
              refused(ExitCode::kNumerical, "row 2 has zero density"));
  EXPECT_THAT(refusal(negative_binomial(3), counts("count\n0\n"), priors),
              refused(ExitCode::kNumerical, "row 2 has zero density"));
  // Two states passed in turn, each step certain: only even counts are possible.
  const auto even = [] {
    return make_model(TimeKind::kDiscrete, 3, {{0, 1.0}},
                      {{0, 1, 1, {}}, {1, 0, 1, {{0, -1.0}}}, {1, 2, 0, {{0, 1.0}}}}, {{"p", 0, 1}},
                      RateMap::identity(1));
  };
  EXPECT_THAT(refusal(even(), counts("count\n2\n4\n7\n"), priors),
              refused(ExitCode::kNumerical, "row 4 has zero density"));
  EXPECT_THAT(refusal(even(), counts("lower,upper\n6,7\n"), priors), refused(ExitCode::kNumerical, "row 2 has zero"));
  EXPECT_THAT(refusal(even(), counts("lower,upper\n6,8\n"), priors), refused(ExitCode::kDone, "accepted"));
}

TEST(Posterior, DataOfTheOtherTimeKind) {
  EXPECT_THAT(refusal(negative_binomial(1), kMixed, {{"p", Prior(PriorFamily::kBeta, 2, 2)}}),
              refused(ExitCode::kInvalidFile, "the data are times, but model 'case' is discrete in time"));
  EXPECT_THAT(refusal(erlang(1), counts("count\n1\n"), {{"rate", Prior(PriorFamily::kGamma, 2, 2)}}),
              refused(ExitCode::kInvalidFile, "the data are counts, but model 'case' is continuous in time"));
  EXPECT_THAT(refusal(erlang(1), Observations{}, {{"rate", Prior(PriorFamily::kGamma, 2, 2)}}),
              refused(ExitCode::kInvalidFile, "no observations"));
}

}  // namespace
}  // namespace sojourn
