#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "evaluation/law.hpp"
#include "evaluation/multi_law.hpp"
#include "oracle/dense.hpp"
#include "oracle/quad_counts.hpp"

namespace sojourn {
namespace {

struct Answer {
  LawOutcome outcome;
  LawValues law;
  std::vector<LawMethod> methods;
};

Answer evaluate(const oracle::ZooChain& chain, const std::vector<LawPoint>& points, LawMethod method,
                bool gradient = false) {
  EvaluatorOptions options;
  options.method = method;
  const Prc prc = eliminate(chain.graph);
  const LawPlan plan(chain.graph, prc, chain.reward, points, options);
  const auto workspace = plan.make_workspace();
  Answer answer;
  answer.methods.resize(points.size());
  answer.outcome = plan.values(chain.phi, gradient, answer.law, answer.methods, *workspace);
  return answer;
}

/// Trials until the third success: P(Y = n) = C(n - 1, 2) p^3 q^(n - 3).
oracle::ZooChain negative_binomial(double p) {
  oracle::ZooChain chain = oracle::zoo_negative_binomial();
  chain.phi = {p};
  return chain;
}

class CountsByContour : public testing::TestWithParam<LawMethod> {};

TEST_P(CountsByContour, NegativeBinomialInClosedForm) {
  for (const double p : {0.3, 1e-3, 1e-6}) {
    std::vector<LawPoint> points;
    for (const double n : {40.0, 200.0, 1000.0, 3000.0, 20'000.0, 1e6}) points.push_back({n, true, true, true});
    const Answer answer = evaluate(negative_binomial(p), points, GetParam(), true);
    int certified = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!(answer.law.error_bound[i] <= 1e-9)) continue;
      ++certified;
      const double n = points[i].value, log_q = std::log1p(-p);
      const double truth = std::log((n - 1) / 2 * (n - 2)) + 3 * std::log(p) + (n - 3) * log_q;
      // Three logarithms, the last one times n.
      const double lost = 1e-14 + 1e-15 * std::abs(truth);
      EXPECT_LE(std::abs(answer.law.log_density[i] - truth), answer.law.error_bound[i] + lost) << p << " " << n;
      // d log P(Y = n) / dp.
      const double slope = 3 / p - (n - 3) / (1 - p), size = 3 / p + n / (1 - p);
      EXPECT_NEAR(answer.law.density_gradient[i], slope, 1e-9 * size) << p << " " << n;
      // P(Y > n): fewer than three successes in n trials.
      const double odds = p / (1 - p);
      const double survival = n * log_q + std::log1p(n * odds + n * (n - 1) / 2 * odds * odds);
      EXPECT_LE(std::abs(answer.law.log_survival[i] - survival), answer.law.error_bound[i] + 1e-14 - 1e-15 * survival)
          << p << " " << n;
    }
    EXPECT_GE(certified, 3) << p;
  }
}

TEST(LawDiscrete, LargeCountsGoToTheContourSmallOnesToStepping) {
  std::vector<LawPoint> points;
  for (const double n : {0.0, 1.0, 3.0, 29.0, 5e5, 1e6, 2e6}) points.push_back({n, true, true, true});
  const Answer answer = evaluate(negative_binomial(1e-6), points, LawMethod::kAuto);
  EXPECT_TRUE(answer.outcome.ok) << answer.outcome.message;
  EXPECT_EQ(answer.outcome.num_contour, 3);
  EXPECT_EQ(answer.outcome.num_stepping, 4);
  EXPECT_EQ(answer.law.log_density[1], -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(answer.law.log_density[2], 3 * std::log(1e-6), 1e-13);
}

/// Two states that swap with probability near 1: an eigenvalue near -1, whose part alternates with the count.
oracle::ZooChain alternating() {
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(3);
  oracle::edge(builder, 0, 1, 0.999);
  oracle::edge(builder, 1, 0, 0.999);
  oracle::edge(builder, 1, 2, 0, {{0, 1}});
  builder.add_initial(0, 1);
  return oracle::finish("alternating", std::move(builder), {1e-3});
}

TEST(LawDiscrete, NegativeEigenvaluesAreNotTheContours) {
  const std::vector<LawPoint> points{{2000, true, false, false}, {2001, true, false, false}};
  const Answer refused = evaluate(alternating(), points, LawMethod::kContour);
  EXPECT_FALSE(refused.outcome.ok);
  EXPECT_NE(refused.outcome.message.find("not proved"), std::string::npos) << refused.outcome.message;
  const Answer stepped = evaluate(alternating(), points, LawMethod::kAuto);
  EXPECT_TRUE(stepped.outcome.ok) << stepped.outcome.message;
  EXPECT_EQ(stepped.outcome.num_stepping, 2);
}

TEST(LawDiscrete, RowsAboveOneAreRefusedOnEveryRoute) {
  for (const LawMethod method : {LawMethod::kAuto, LawMethod::kContour})
    EXPECT_FALSE(evaluate(negative_binomial(1.25), {{1e6, true, false, false}}, method).outcome.ok);
}

/// The probability to stay is what is left of 1 to its last digit; what rounding alone may have left is none.
TEST(LawDiscrete, SteppingKeepsEveryDigitOfARemainder) {
  const double p = 1 - 1e-10;
  const Answer answer = evaluate(negative_binomial(p), {{9, true, true, false}}, LawMethod::kAuto, true);
  const double log_q = std::log(1 - p);
  EXPECT_NEAR(answer.law.log_density[0], std::log(28) + 3 * std::log(p) + 6 * log_q, answer.law.error_bound[0]);
  EXPECT_NEAR(answer.law.density_gradient[0] * (1 - p), -6, 1e-9);
  int num_asked = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const oracle::ZooChain chain = oracle::random_counts(seed);
    const oracle::QuadCounts truth(chain.graph, chain.phi, 400);
    std::vector<LawPoint> points;
    for (const double n : {0.0, 1.0, 2.0, 5.0, 11.0, 60.0, 400.0}) points.push_back({n, true, true, true});
    const LawValues law = evaluate(chain, points, LawMethod::kStepping).law;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto n = static_cast<std::int64_t>(points[i].value);
      const auto expect_bounded = [&](double log_value, double exact) {
        if (exact < 1e-290) return;
        ++num_asked;
        EXPECT_LE(std::abs(log_value - std::log(exact)), law.error_bound[i] + 1e-15 * (1 - std::log(exact)))
            << chain.name << " " << n;
      };
      expect_bounded(law.log_density[i], truth.mass(n));
      expect_bounded(law.log_survival[i], truth.survival(n));
      expect_bounded(law.log_cdf[i], truth.cdf(n));
    }
  }
  EXPECT_GT(num_asked, 1200);
}

/// Acyclic, or birth-death with small steps; rates span up to 1e3.
oracle::ZooChain random_chain(std::mt19937_64& random) {
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto states = static_cast<std::int32_t>(2 + random() % 7);
  const bool cyclic = random() % 2 == 0;
  const double scale = std::pow(10.0, -1 - 2 * uniform(random)), spread = 3 * uniform(random);
  const auto weight = [&] { return scale * std::pow(10.0, -spread * uniform(random)); };
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(states + 1);
  for (std::int32_t i = 0; i < states; ++i) {
    oracle::edge(builder, i, i + 1, 0, {{0, weight()}});
    if (cyclic && i > 0) oracle::edge(builder, i, i - 1, 0, {{0, weight()}});
    if (!cyclic && i + 1 < states) oracle::edge(builder, i, states, 0, {{0, weight()}});
  }
  builder.add_initial(0, 0.625);
  builder.add_initial(states / 2, 0.3125);
  oracle::ZooChain chain = oracle::finish("random", std::move(builder), {1.0});
  if (!cyclic && uniform(random) < 0.4) chain.reward[1] = 0;
  return chain;
}

/// Trials until the first success: the rightmost pole is the only one, and tails of any depth are relative.
TEST_P(CountsByContour, GeometricInClosedForm) {
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(2);
  oracle::edge(builder, 0, 1, 0, {{0, 1.0}});
  builder.add_initial(0, 1);
  const oracle::ZooChain geometric = oracle::finish("geometric", std::move(builder), {1.0});
  int certified = 0;
  for (const double p : {0.4, 0.05, 1e-4, 1e-9}) {
    oracle::ZooChain chain = geometric;
    chain.phi = {p};
    std::vector<LawPoint> points;
    for (const double times : {1e-3, 0.1, 1.0, 7.0, 300.0, 4000.0})
      points.push_back({std::ceil(times / p) + 30, true, true, true});
    const Answer answer = evaluate(chain, points, GetParam(), true);
    const double log_q = std::log1p(-p);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!(answer.law.error_bound[i] <= 1e-9)) continue;
      ++certified;
      const double n = points[i].value, bound = answer.law.error_bound[i] + 1e-15 * (4 - n * log_q);
      EXPECT_LE(std::abs(answer.law.log_density[i] - (std::log(p) + (n - 1) * log_q)), bound) << p << " " << n;
      EXPECT_LE(std::abs(answer.law.log_survival[i] - n * log_q), bound) << p << " " << n;
      EXPECT_LE(std::abs(answer.law.log_cdf[i] - std::log(-std::expm1(n * log_q))), bound) << p << " " << n;
      EXPECT_NEAR(answer.law.density_gradient[i], 1 / p - (n - 1) / (1 - p), 1e-9 * (1 / p + n)) << p << " " << n;
      EXPECT_NEAR(answer.law.survival_gradient[i], -n / (1 - p), 1e-9 * n / (1 - p)) << p << " " << n;
    }
  }
  EXPECT_GE(certified, 15);
}

TEST(LawDiscrete, SaddlepointsSayWhatTheyCannot) {
  // Three trials for three successes: the law is narrower than a count, and its transform does not fall off within the
  // period.
  for (const double p : {0.999, 0.9}) {
    const Answer narrow = evaluate(negative_binomial(p), {{3, true, false, false}}, LawMethod::kSaddlepoint);
    EXPECT_FALSE(narrow.outcome.ok);
    EXPECT_NE(narrow.outcome.message.find("use auto or stepping"), std::string::npos) << narrow.outcome.message;
  }
  // Where no path is so short there is nothing to integrate, or nothing that could be sure.
  const Answer none = evaluate(negative_binomial(1e-6), {{2, true, false, false}}, LawMethod::kSaddlepoint);
  if (none.outcome.ok) {
    EXPECT_EQ(none.law.log_density[0], -std::numeric_limits<double>::infinity());
  }
  oracle::ZooChain doubled = negative_binomial(0.1);
  for (double& reward : doubled.reward) reward *= 2;
  EXPECT_FALSE(evaluate(doubled, {{100, true, false, false}}, LawMethod::kSaddlepoint).outcome.ok);
  // P(Y = 0) is closed: of two states the first does not count.
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(3);
  oracle::edge(builder, 0, 1, 0, {{0, 0.5}});
  oracle::edge(builder, 0, 2, 0, {{0, 0.25}});
  oracle::edge(builder, 1, 2, 0, {{0, 1.0}});
  builder.add_initial(0, 0.75);
  builder.add_initial(1, 0.25);
  oracle::ZooChain passing = oracle::finish("passing", std::move(builder), {0.1});
  passing.reward = {0, 1, 0};
  const Answer closed = evaluate(passing, {{0, true, true, true}}, LawMethod::kSaddlepoint, true);
  EXPECT_TRUE(closed.outcome.ok) << closed.outcome.message;
  EXPECT_NEAR(closed.law.log_density[0], std::log(0.25), 1e-15);
  EXPECT_NEAR(closed.law.log_survival[0], std::log(0.75), 1e-15);
  EXPECT_NEAR(closed.law.log_cdf[0], std::log(0.25), 1e-15);
  EXPECT_NEAR(closed.law.density_gradient[0], 0, 1e-14);
  EXPECT_EQ(closed.outcome.num_closed, 1);
}

TEST_P(CountsByContour, NoErrorBoundIsExceeded) {
  std::mt19937_64 random(31);
  std::uniform_real_distribution<double> uniform(0, 1);
  int certified = 0, asked = 0;
  for (int c = 0; c < 400; ++c) {
    const oracle::ZooChain chain = random_chain(random);
    const oracle::DenseChain dense = oracle::dense_chain(chain);
    std::vector<LawPoint> points;
    for (int i = 0; i < 6; ++i) {
      points.push_back({std::floor(std::pow(10.0, 1.5 + 3.5 * uniform(random))), true, true, true});
    }
    const Answer answer = evaluate(chain, points, GetParam());
    for (std::size_t n = 0; n < points.size(); ++n) {
      ++asked;
      if (!(answer.law.error_bound[n] <= 1e-9)) continue;
      ++certified;
      const oracle::DenseLaw truth = oracle::dense_law(dense, points[n].value);
      const auto expect_bounded = [&](double value, long double exact) {
        const auto log_exact = static_cast<double>(std::log(exact));
        // Powers in long double by squaring lose 1e-19 per step, a logarithm in double its last digit.
        const double lost = 2e-19 * points[n].value + 1e-15 * (1 + std::abs(log_exact));
        EXPECT_LE(std::abs(value - log_exact), answer.law.error_bound[n] + lost)
            << "chain " << c << " count " << points[n].value;
      };
      expect_bounded(answer.law.log_density[n], truth.density);
      expect_bounded(answer.law.log_survival[n], truth.survival);
      expect_bounded(answer.law.log_cdf[n], truth.cdf);
    }
  }
  EXPECT_GT(certified, asked / 2) << asked;
}

/// Against inversions of 50 digits and more.
TEST_P(CountsByContour, AgreesWithFiftyDigits) {
  std::mt19937_64 random(77);
  std::uniform_real_distribution<double> uniform(0, 1);
  int certified = 0;
  for (int c = 0; c < 10; ++c) {
    const oracle::ZooChain chain = random_chain(random);
    const Prc prc = eliminate(chain.graph);
    std::vector<LawPoint> points;
    for (int i = 0; i < 3; ++i) points.push_back({std::floor(40 + 900 * uniform(random)), true, true, true});
    const Answer answer = evaluate(chain, points, GetParam(), true);
    const std::vector<double>* const logs[] = {&answer.law.log_density, &answer.law.log_survival, &answer.law.log_cdf};
    const std::vector<double>* const slopes[] = {&answer.law.density_gradient, &answer.law.survival_gradient,
                                                 &answer.law.cdf_gradient};
    for (std::size_t k = 0; k < 3; ++k) {
      constexpr LawKind kKinds[] = {LawKind::kPdf, LawKind::kSurvival, LawKind::kCdf};
      std::vector<double> counts;
      for (const LawPoint& point : points) counts.push_back(point.value);
      const MultiAnswer exact = multi_law(chain.graph, prc, chain.phi, chain.reward, kKinds[k], counts, 50, true);
      for (std::size_t n = 0; n < points.size(); ++n) {
        if (!(answer.law.error_bound[n] <= 1e-9) || !(exact.value[n] > 1e-300)) continue;
        ++certified;
        const double log_exact = std::log(exact.value[n]);
        EXPECT_LE(std::abs((*logs[k])[n] - log_exact), answer.law.error_bound[n] + 1e-15 * (1 + std::abs(log_exact)))
            << "chain " << c << " kind " << k << " count " << counts[n];
        // One rate multiplies all weights, so that its derivative counts steps.
        EXPECT_NEAR((*slopes[k])[n], exact.gradient[n] / exact.value[n], 1e-8 * (1 + counts[n]))
            << "chain " << c << " kind " << k << " count " << counts[n];
      }
    }
  }
  EXPECT_GT(certified, 25);
}

INSTANTIATE_TEST_SUITE_P(Routes, CountsByContour, testing::Values(LawMethod::kContour, LawMethod::kSaddlepoint),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace sojourn
