#include "sojourn/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t kDraws = 100'000;

std::vector<double> draw_times(const Model& model, const std::vector<double>& theta, std::int64_t num_draws = kDraws,
                               std::uint64_t seed = 11) {
  const Matrix<double> draws = sample(model, theta, {model.graph.unit_reward()}, num_draws, seed);
  return draws.values();
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double variance_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size() - 1);
}

/// Mean and variance within 4 standard errors; `fourth` is the law's fourth central moment.
void expect_moments(const std::vector<double>& values, double mean, double variance, double fourth) {
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(mean_of(values), mean, 4 * std::sqrt(variance / n));
  EXPECT_NEAR(variance_of(values), variance, 4 * std::sqrt((fourth - variance * variance) / n));
}

/// Kolmogorov and Smirnov: sqrt(n) D passes 2.23 with probability 1e-4 under the law.
void expect_law(std::vector<double> values, const std::function<double(double)>& cdf) {
  std::ranges::sort(values);
  const auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = cdf(values[i]);
    distance = std::max({distance, (static_cast<double>(i) + 1) / n - p, p - static_cast<double>(i) / n});
  }
  EXPECT_LT(distance * std::sqrt(n), 2.23);
}

Model wrap(StateGraphBuilder builder, std::int32_t num_parameters) {
  Model model;
  model.name = "test";
  for (std::int32_t p = 0; p < num_parameters; ++p) model.parameters.push_back({.name = "p" + std::to_string(p)});
  model.rates = RateMap::identity(num_parameters);
  model.graph = std::move(builder).build();
  return model;
}

TEST(Sample, ErlangMoments) {
  // Erlang(k, rate): variance k / rate^2, fourth central moment (3 k^2 + 6 k) / rate^4.
  expect_moments(draw_times(erlang(5), {2.0}), 2.5, 5 / 4.0, (3 * 25 + 30) / 16.0);
}

TEST(Sample, ErlangLaw) {
  expect_law(draw_times(erlang(3), {2.0}), [](double t) {
    const double x = 2 * t;
    return 1 - std::exp(-x) * (1 + x + x * x / 2);
  });
}

TEST(Sample, HyperexponentialLawTakesTheRightBranches) {
  const double probabilities[] = {0.2, 0.5, 0.3};
  expect_law(draw_times(hyperexponential(probabilities), {10.0, 1.0, 0.1}),
             [](double t) { return 1 - 0.2 * std::exp(-10 * t) - 0.5 * std::exp(-t) - 0.3 * std::exp(-0.1 * t); });
}

TEST(Sample, CoalescentHeightAndSpectrum) {
  const Model model = coalescent_blocks(8);
  const StateGraph& graph = model.graph;
  const double theta[] = {2.0};
  const Matrix<double> draws =
      sample(model, theta, {graph.unit_reward(), graph.reward("singletons"), graph.reward("length")}, kDraws, 3);
  std::vector<double> column[3];
  for (std::int64_t i = 0; i < kDraws; ++i)
    for (int r = 0; r < 3; ++r) column[r].push_back(draws(i, r));
  double height_variance = 0, length_variance = 0, length = 0;
  for (int k = 2; k <= 8; ++k) {
    height_variance += std::pow(k * (k - 1.0), -2);
    length_variance += std::pow(k - 1.0, -2);
    length += 1 / (k - 1.0);
  }
  const auto n = static_cast<double>(kDraws);
  EXPECT_NEAR(mean_of(column[0]), 1 - 1 / 8.0, 4 * std::sqrt(height_variance / n));
  EXPECT_NEAR(mean_of(column[1]), 1.0, 4 * std::sqrt(variance_of(column[1]) / n));
  EXPECT_NEAR(mean_of(column[2]), length, 4 * std::sqrt(length_variance / n));
  EXPECT_NEAR(variance_of(column[0]), height_variance, 0.03 * height_variance);
  // One path earns all rewards: in every draw the length is at least twice the height, and holds the singletons.
  for (std::int64_t i = 0; i < kDraws; ++i) {
    ASSERT_GE(draws(i, 2), 2 * draws(i, 0) * (1 - 1e-12));
    ASSERT_LE(draws(i, 1), draws(i, 2) * (1 + 1e-12));
  }
}

TEST(Sample, ManyBranchesKeepTheirShares) {
  // Alias tables: 12 branches of unequal weight, one of them 0, each told apart by its reward.
  constexpr std::int32_t kBranches = 12;
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(kBranches + 2);
  double total = 0;
  std::vector<double> weight(kBranches);
  for (std::int32_t k = 0; k < kBranches; ++k) {
    weight[k] = k == 5 ? 0 : (k + 1.0) * (k + 1.0);
    total += weight[k];
    const RateTerm term{0, 1.0};
    if (k == 5)
      builder.add_edge(0, k + 1, 0, {&term, 1});
    else
      builder.add_edge(0, k + 1, weight[k], {});
    builder.add_edge(k + 1, kBranches + 1, 1.0, {});
  }
  builder.add_initial(0, 1.0);
  const Model model = wrap(std::move(builder), 1);
  std::vector<std::vector<double>> in_branch(kBranches, std::vector<double>(kBranches + 2, 0.0));
  std::vector<std::span<const double>> rewards;
  for (std::int32_t k = 0; k < kBranches; ++k) {
    in_branch[k][k + 1] = 1;
    rewards.emplace_back(in_branch[k]);
  }
  const double theta[] = {0.0};
  const Matrix<double> draws = sample(model, theta, rewards, kDraws, 5);
  double chi_square = 0;
  for (std::int32_t k = 0; k < kBranches; ++k) {
    double count = 0;
    for (std::int64_t i = 0; i < kDraws; ++i) count += draws(i, k) > 0 ? 1 : 0;
    const double expected = kDraws * weight[k] / total;
    if (k == 5)
      EXPECT_EQ(count, 0);
    else
      chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 35.6);  // 10 degrees of freedom, p = 1e-4
}

TEST(Sample, DefectIsAnAtomAtZero) {
  const double probabilities[] = {0.5, 0.25};
  const auto draws = draw_times(hyperexponential(probabilities), {1.0, 3.0});
  const auto zeros = static_cast<double>(std::ranges::count(draws, 0.0));
  EXPECT_NEAR(zeros / kDraws, 0.25, 4 * std::sqrt(0.25 * 0.75 / kDraws));
}

TEST(Sample, ZeroRewardStatesMakeAnAtom) {
  // Coxian of two stages where only the second earns: it is reached with probability on / (on + exit) = 0.4.
  const Model model = coxian(2);
  const double second[] = {0, 1, 99}, theta[] = {2.0, 3.0, 5.0};
  const Matrix<double> draws = sample(model, theta, {second}, kDraws, 9);
  const auto zeros = static_cast<double>(std::ranges::count(draws.values(), 0.0));
  EXPECT_NEAR(zeros / kDraws, 0.6, 4 * std::sqrt(0.24 / kDraws));
  expect_moments(draws.values(), 0.08, 0.4 * 2 / 25 - 0.0064,
                 0.4 * 24 / 625 - 4 * 0.08 * 0.4 * 6 / 125 + 6 * 0.0064 * 0.4 * 2 / 25 - 3 * std::pow(0.08, 4));
}

TEST(Sample, DiscreteTimeCountsSteps) {
  // Two states left with probabilities 0.3 and 1: steps are 1 + geometric, P(N = k + 1) = 0.3 0.7^(k-1).
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(3);
  const RateTerm term{0, 1.0};
  builder.add_edge(0, 1, 0, {&term, 1});
  builder.add_edge(1, 2, 1.0, {});
  builder.add_initial(0, 1.0);
  const Model model = wrap(std::move(builder), 1);
  const auto draws = draw_times(model, {0.3});
  double chi_square = 0, tail = 1;
  for (int k = 1; k <= 20; ++k) {
    const double p = 0.3 * std::pow(0.7, k - 1), expected = p * kDraws;
    const auto count = static_cast<double>(std::ranges::count(draws, k + 1.0));
    chi_square += (count - expected) * (count - expected) / expected;
    tail -= p;
  }
  EXPECT_LT(chi_square, 52.4);  // 20 degrees of freedom, p = 1e-4
  EXPECT_EQ(std::ranges::count(draws, 1.0), 0);
  for (const double steps : draws) ASSERT_EQ(steps, std::floor(steps));
  const double edge[] = {1.0};
  EXPECT_EQ(sample(model, edge, {model.graph.unit_reward()}, 5, 1).values(), std::vector<double>(5, 2.0));
}

TEST(Sample, BitsDoNotDependOnThreadsOrCount) {
  const std::int32_t samples[] = {3, 3};
  const Model model = structured_coalescent(samples);
  const double theta[] = {1.0, 0.5, 0.2, 0.9};
  const auto draw = [&](std::int64_t num_draws, int num_threads, std::uint64_t seed) {
    return sample(model, theta, {model.graph.unit_reward(), model.graph.reward("length_1")}, num_draws, seed,
                  num_threads)
        .values();
  };
  const std::vector<double> reference = draw(2000, 1, 42);
  EXPECT_EQ(draw(2000, 3, 42), reference);
  EXPECT_EQ(draw(2000, 0, 42), reference);
  const std::vector<double> prefix = draw(100, 2, 42);
  EXPECT_TRUE(std::equal(prefix.begin(), prefix.end(), reference.begin()));
  EXPECT_NE(draw(2000, 1, 43), reference);
  EXPECT_TRUE(draw(0, 1, 1).empty());
}

TEST(Sample, LongChain) {
  // A sum of 1e5 exponentials: mean 1e5, standard deviation 316; 10 draws have a mean within 4 * 100.
  EXPECT_NEAR(mean_of(draw_times(erlang(100'000), {1.0}, 10)), 1e5, 400);
}

TEST(Sample, ZeroTransientStates) {
  StateGraphBuilder builder(TimeKind::kContinuous, 0);
  builder.ensure_states(1);
  builder.add_initial(0, 1.0);
  const Model model = wrap(std::move(builder), 0);
  EXPECT_EQ(sample(model, {}, {model.graph.unit_reward()}, 3, 1).values(), std::vector<double>(3, 0.0));
}

template <class ErrorType>
std::string sample_error(const Model& model, const std::vector<double>& theta,
                         const std::vector<std::span<const double>>& rewards, std::int64_t num_draws = 3) {
  try {
    (void)sample(model, theta, rewards, num_draws, 1);
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no such error";
}

TEST(SampleErrors, Arguments) {
  const Model model = erlang(2);
  const std::span<const double> time = model.graph.unit_reward();
  EXPECT_THAT(sample_error<ShapeError>(model, {}, {time}), HasSubstr("theta has 0 values"));
  EXPECT_THAT(sample_error<UsageError>(model, {std::nan("")}, {time}), HasSubstr("'rate' must be finite"));
  EXPECT_THAT(sample_error<UsageError>(model, {1.0}, {time}, -1), HasSubstr("number of draws -1"));
  EXPECT_THAT(sample_error<ShapeError>(model, {1.0}, {time.subspan(1)}), HasSubstr("reward 0 has 2 values"));
  const double negative[] = {1, -1, 0};
  EXPECT_THAT(sample_error<UsageError>(model, {1.0}, {time, negative}), HasSubstr("reward 1: value -1 of state 1"));
}

TEST(SampleErrors, Rates) {
  const Model model = coxian(2);
  const std::span<const double> time = model.graph.unit_reward();
  EXPECT_THAT(sample_error<NumericalError>(model, {1.0, -0.5, 1.0}, {time}),
              AllOf(HasSubstr("edge 1 (0 -> 2)"), HasSubstr("weight -0.5"), HasSubstr("(1, -0.5, 1)")));
  // Nothing leaves stage 1, so a draw would never end.
  EXPECT_THAT(sample_error<NumericalError>(model, {1.0, 1.0, 0.0}, {time}), HasSubstr("state 1 cannot reach"));
  // The stage that cannot be left is not reached here.
  EXPECT_EQ(sample_error<NumericalError>(model, {0.0, 1.0, 0.0}, {time}), "no such error");
}

TEST(SampleErrors, DiscreteRow) {
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(3);
  const RateTerm term{0, 1.0};
  builder.add_edge(0, 1, 0.5, {&term, 1});
  builder.add_edge(1, 2, 1.0, {});
  builder.add_initial(0, 1.0);
  const Model model = wrap(std::move(builder), 1);
  EXPECT_THAT(sample_error<NumericalError>(model, {0.75}, {model.graph.unit_reward()}),
              AllOf(HasSubstr("state 0"), HasSubstr("1.25"), HasSubstr("at most 1")));
}

}  // namespace
}  // namespace sojourn
