#include "evaluation/moment_single.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "evaluation/moment_replay.hpp"
#include "evaluation/multi_law.hpp"
#include "oracle/cancelling_chain.hpp"
#include "oracle/golden.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/error.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using oracle::ZooChain;

/// Chains of 2..25 states with 1..3 rates: dense, sparse with long ways, or without cycles; coefficients and rates as
/// 10^U(-spread, spread).
ZooChain random_chain(std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return static_cast<double>(bits() >> 11) * 0x1p-53; };
  const auto num_states = static_cast<std::int32_t>(2 + 24 * uniform());
  const auto num_rates = static_cast<std::int32_t>(1 + 3 * uniform());
  const double spread = 2.5 * uniform(), density = 0.02 + 0.9 * uniform() * uniform();
  const bool acyclic = uniform() < 0.4;
  StateGraphBuilder builder(TimeKind::kContinuous, num_rates);
  builder.ensure_states(num_states + 1);
  const auto add = [&](std::int32_t from, std::int32_t to) {
    const double coefficient = std::pow(10.0, spread * (2 * uniform() - 1));
    oracle::edge(builder, from, to, 0, {{static_cast<std::int32_t>(num_rates * uniform()), coefficient}});
  };
  for (std::int32_t i = 0; i < num_states; ++i) {
    add(i, i + 1);
    for (std::int32_t j = acyclic ? i + 2 : 0; j <= num_states; ++j) {
      if (j != i && j != i + 1 && uniform() < density) add(i, j);
    }
  }
  builder.add_initial(0, 0.7);
  builder.add_initial(num_states / 2, 0.3);
  std::vector<double> phi;
  for (std::int32_t r = 0; r < num_rates; ++r) phi.push_back(std::pow(10.0, spread * (2 * uniform() - 1)));
  return oracle::finish("random_" + std::to_string(seed), std::move(builder), std::move(phi), false);
}

struct Answer {
  std::vector<double> values, gradient;
  SingleMoments known;
};
Answer single(const ZooChain& chain, const std::vector<double>& phi, int order, bool gradient, int threads = 1) {
  const std::size_t num_rates = chain.phi.size(), num_lanes = phi.size() / num_rates;
  Answer answer{
      std::vector<double>(num_lanes * order), std::vector<double>(gradient ? num_lanes * order * num_rates : 0), {}};
  answer.known = replay_moments_single(chain.graph, eliminate(chain.graph), {phi.data(), num_lanes, num_rates},
                                       chain.reward, order, answer.values, answer.gradient, threads);
  return answer;
}

TEST(MomentSingle, BoundsHoldOverRandomChains) {
  // The truth has 17 digits, from another arithmetic; the bounds are not below 1e-6.
  constexpr int kNumChains = 1200, kOrder = 3;
  int num_single = 0, num_single_gradients = 0;
  double worst = 0, worst_gradient = 0;
  for (int seed = 0; seed < kNumChains; ++seed) {
    const ZooChain chain = random_chain(static_cast<std::uint64_t>(seed));
    const MultiAnswer truth =
        multi_moments(chain.graph, eliminate(chain.graph), chain.phi, chain.reward, kOrder, 17, seed % 4 == 0);
    const Answer value = single(chain, chain.phi, kOrder, false);
    num_single += value.known.single[0];
    for (int j = 0; j < kOrder; ++j) {
      const double error = std::fabs(value.values[j] - truth.value[j]) / truth.value[j];
      ASSERT_LE(error, value.known.error_bound[j]) << chain.name << " order " << j + 1;
      ASSERT_LE(value.known.error_bound[j], kSingleTolerance);
      if (value.known.single[0] != 0) worst = std::max(worst, error / value.known.error_bound[j]);
    }
    if (seed % 4 != 0) continue;
    const Answer slope = single(chain, chain.phi, kOrder, true);
    num_single_gradients += slope.known.single[0];
    for (std::size_t i = 0; i < slope.gradient.size(); ++i) {
      const double error = std::fabs(slope.gradient[i] - truth.gradient[i]);
      // The reference's own differences resolve about a third of its digits.
      const double bound = slope.known.gradient_error[i] * std::fabs(slope.gradient[i]);
      ASSERT_LE(error, bound + 1e-9 * std::fabs(truth.gradient[i]) + 1e-300) << chain.name << " derivative " << i;
      if (slope.known.single[0] != 0 && bound > 0) worst_gradient = std::max(worst_gradient, error / bound);
    }
  }
  RecordProperty("worst_part_of_bound", std::to_string(worst));
  RecordProperty("worst_part_of_gradient_bound", std::to_string(worst_gradient));
  // A test that double precision answers tests nothing.
  EXPECT_GT(num_single, kNumChains / 2);
  EXPECT_GT(num_single_gradients, kNumChains / 4 / 5);
}

TEST(MomentSingle, BoundsHoldWhereWeightsCancel) {
  constexpr int kNumChains = 400, kOrder = 2;
  int num_single = 0;
  for (const double digits : {4.0, 9.0, 13.0}) {
    for (int seed = 0; seed < kNumChains; ++seed) {
      const ZooChain chain = oracle::cancelling_chain(static_cast<std::uint64_t>(seed), digits);
      const MultiAnswer truth =
          multi_moments(chain.graph, eliminate(chain.graph), chain.phi, chain.reward, kOrder, 50, seed % 4 == 0);
      for (const bool gradient : {false, true}) {
        if (gradient && seed % 4 != 0) continue;
        const Answer answer = single(chain, chain.phi, kOrder, gradient);
        num_single += answer.known.single[0];
        for (int j = 0; j < kOrder; ++j) {
          const double error = std::fabs(answer.values[j] - truth.value[j]) / truth.value[j];
          ASSERT_LE(error, answer.known.error_bound[j]) << chain.name << " digits " << digits << " order " << j + 1;
        }
        for (std::size_t i = 0; i < answer.gradient.size(); ++i) {
          const double error = std::fabs(answer.gradient[i] - truth.gradient[i]);
          ASSERT_LE(error, answer.known.gradient_error[i] * std::fabs(truth.gradient[i]) + 1e-300)
              << chain.name << " digits " << digits << " derivative " << i;
        }
      }
    }
  }
  EXPECT_GT(num_single, 2 * kNumChains);
}

/// 1 / (1 - p): the difference is exact in double, and nothing of it is left in single precision.
TEST(MomentSingle, AWeightNearZeroIsTheDifferenceOfDoubles) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(2);
  oracle::edge(builder, 0, 1, 1, {{0, -1}});
  builder.add_initial(0, 1.0);
  const ZooChain chain = oracle::finish("one_minus_p", std::move(builder), {0.5}, false);
  for (const double p : {0.3, 0.9999999, 1 - 0x1p-40}) {
    const Answer answer = single(chain, {p}, 1, true);
    EXPECT_NE(answer.known.single[0], 0);
    EXPECT_LT(answer.known.error_bound[0], 1e-5);
    EXPECT_NEAR(answer.values[0] * (1 - p), 1, answer.known.error_bound[0]);
    EXPECT_NEAR(answer.gradient[0] * (1 - p) * (1 - p), 1, answer.known.gradient_error[0]);
  }
}

TEST(MomentSingle, GoldenMomentsWithinTheirBounds) {
  int num_single = 0;
  for (const ZooChain& chain : oracle::zoo()) {
    const auto found = oracle::golden().find(chain.name);
    if (found == oracle::golden().end() || found->second.moments.empty()) continue;
    const std::vector<double>& truth = found->second.moments;
    const Answer answer = single(chain, chain.phi, static_cast<int>(truth.size()), false);
    num_single += answer.known.single[0];
    for (std::size_t k = 0; k < truth.size(); ++k) {
      if (std::isinf(truth[k])) {
        EXPECT_TRUE(std::isinf(answer.values[k])) << chain.name;
        continue;
      }
      EXPECT_NEAR(answer.values[k], truth[k], answer.known.error_bound[k] * truth[k] + 1e-13 * truth[k])
          << chain.name << " order " << k + 1;
    }
  }
  EXPECT_GE(num_single, 5);
}

/// Parameter vectors whose numbers leave the range of single precision, each in its own way.
TEST(MomentSingle, WhatLeavesTheRangeIsAnsweredInDouble) {
  const ZooChain chain = oracle::zoo_hypoexponential();
  const std::size_t num_rates = chain.phi.size();
  const auto scaled = [&](double factor) {
    std::vector<double> phi = chain.phi;
    for (double& rate : phi) rate *= factor;
    return phi;
  };
  struct Case {
    double factor;
    int order;
    bool stays;
  };
  // Overflowing and vanishing rates; means of 1e30 fit, their squares do not; the same for means of 1e-30.
  for (const Case& one : {Case{1, 3, true}, Case{1e39, 1, false}, Case{1e-39, 1, false}, Case{1e-30, 1, true},
                          Case{1e-30, 2, false}, Case{1e30, 1, true}, Case{1e30, 2, false}}) {
    const std::vector<double> phi = scaled(one.factor);
    for (const bool gradient : {false, true}) {
      const Answer answer = single(chain, phi, one.order, gradient);
      if (!gradient) {
        EXPECT_EQ(answer.known.single[0] != 0, one.stays) << one.factor << " " << one.order;
      }
      std::vector<double> values(one.order), slopes(gradient ? one.order * num_rates : 0);
      replay_moments(chain.graph, eliminate(chain.graph), {phi.data(), 1, num_rates}, chain.reward, one.order, values,
                     slopes, 1);
      for (int j = 0; j < one.order; ++j)
        EXPECT_NEAR(answer.values[j], values[j], answer.known.error_bound[j] * values[j]) << one.factor;
      if (answer.known.single[0] == 0) {
        EXPECT_EQ(answer.values, values);
        EXPECT_EQ(answer.gradient, slopes);
      }
    }
  }
}

TEST(MomentSingle, BitsDependOnTheLaneAlone) {
  const Model model = coalescent_lineages(7);
  ZooChain chain{"coalescent", model.graph, {1.0}, model.graph.unit_reward(), true};
  std::vector<double> phi;
  for (int lane = 0; lane < 203; ++lane)
    phi.push_back(lane % 9 == 4 ? 1e-25 : lane % 50 == 7 ? 0.0 : 0.3 + 0.01 * lane);
  for (const bool gradient : {false, true}) {
    const Answer one = single(chain, phi, 2, gradient, 1), two = single(chain, phi, 2, gradient, 2);
    EXPECT_EQ(one.known.single, two.known.single);
    for (std::size_t k = 0; k < phi.size(); ++k) {
      const Answer alone = single(chain, {phi[k]}, 2, gradient);
      EXPECT_EQ(alone.known.single[0], one.known.single[k]) << k;
      if (phi[k] == 0) continue;  // not a number, whoever answers
      EXPECT_EQ(one.known.single[k] != 0, phi[k] > 1e-3) << k;
      for (int j = 0; j < 2; ++j) {
        EXPECT_EQ(one.values[2 * k + j], alone.values[j]) << k;
        EXPECT_EQ(one.values[2 * k + j], two.values[2 * k + j]) << k;
        if (gradient) {
          EXPECT_EQ(one.gradient[2 * k + j], alone.gradient[j]) << k;
        }
      }
    }
  }
}

TEST(MomentSingle, DiscreteTimeIsAnsweredInDouble) {
  const ZooChain chain = oracle::zoo_negative_binomial();
  const Answer answer = single(chain, chain.phi, 2, true);
  EXPECT_EQ(answer.known.single[0], 0);
  EXPECT_LT(answer.known.error_bound[1], 1e-12);
}

TEST(MomentSingle, EvaluatorSaysWhatAnsweredAndRefusesOtherQuantities) {
  const Evaluator evaluator(two_locus(3), {.num_threads = 1, .precision = Precision::kSingle});
  const Evaluator exact(two_locus(3), {.num_threads = 1});
  const std::vector<double>& reward = evaluator.model().graph.unit_reward();
  const std::vector<double> theta{1.0, 0.7, 1e-25, 1e-25};
  const MatrixView<const double> rows(theta.data(), 2, 2);
  const Quantity moments = evaluator.moments(rows, reward, 2, true), truth = exact.moments(rows, reward, 2, true);
  EXPECT_EQ(moments.precision, (std::vector{Precision::kSingle, Precision::kDouble}));
  ASSERT_EQ(moments.gradient_error_bound.size(), moments.gradient.size());
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(moments.values.values()[i], truth.values.values()[i],
                moments.error_bound.values()[i] * truth.values.values()[i]);
  for (std::size_t i = 0; i < moments.gradient.size(); ++i) {
    EXPECT_NEAR(moments.gradient[i], truth.gradient[i],
                (moments.gradient_error_bound[i] + 1e-9) * std::fabs(truth.gradient[i]));
    EXPECT_LE(moments.gradient_error_bound[i], kSingleGradientTolerance);
  }
  const std::vector<double> points{1.0};
  EXPECT_THROW(evaluator.law(rows, reward, LawKind::kPdf, points, false), UsageError);
  EXPECT_THROW(evaluator.laplace(rows, reward, points, false), UsageError);
  EXPECT_THROW(evaluator.quantile(rows, reward, std::vector<double>{0.5}, false), UsageError);
  EXPECT_THROW(evaluator.covariance(rows, {reward}, false), UsageError);
  EXPECT_THROW(evaluator.cross_moments(rows, {reward}, false), UsageError);
  EXPECT_THROW(evaluator.expected_sojourn(rows, false), UsageError);
  EXPECT_THROW(evaluator.state_probability(rows, 1.0, false), UsageError);
}

TEST(MomentSingle, DerivedRatesCarryTheirErrorsOver) {
  // 1 / (2 a): the derivative by a is the one by the rate times -1 / (2 a^2), with the same relative error.
  Model model = coalescent_lineages(5);
  model.parameters = {{"a", 0.0}};
  model.rates = RateMap::derived({"a"}, {"rate"}, {"1 / (2*a)"});
  const Evaluator evaluator(model, {.num_threads = 1, .precision = Precision::kSingle});
  const std::vector<double> theta{0.8};
  const Quantity moments =
      evaluator.moments({theta.data(), 1, 1}, evaluator.model().graph.unit_reward(), 1, /*gradient=*/true);
  ASSERT_EQ(moments.precision.front(), Precision::kSingle);
  const double mean = 2 * 0.8 * 2 * (1 - 1.0 / 5), slope = mean / 0.8;
  EXPECT_NEAR(moments.values(0, 0), mean, moments.error_bound(0, 0) * mean);
  EXPECT_NEAR(moments.gradient[0], slope, moments.gradient_error_bound[0] * slope);
  EXPECT_LT(moments.gradient_error_bound[0], 1e-4);
}

}  // namespace
}  // namespace sojourn
