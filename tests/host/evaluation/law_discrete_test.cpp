#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "evaluation/law.hpp"
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

TEST(LawDiscrete, NegativeBinomialInClosedFormByTheContour) {
  for (const double p : {0.3, 1e-3, 1e-6}) {
    std::vector<LawPoint> points;
    for (const double n : {40.0, 200.0, 1000.0, 3000.0, 20'000.0, 1e6}) points.push_back({n, true, true, true});
    const Answer answer = evaluate(negative_binomial(p), points, LawMethod::kContour, true);
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

TEST(LawDiscrete, NoErrorBoundOfTheContourIsExceeded) {
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
    const Answer answer = evaluate(chain, points, LawMethod::kContour);
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

}  // namespace
}  // namespace sojourn
