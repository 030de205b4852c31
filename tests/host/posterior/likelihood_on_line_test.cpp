#include "posterior/likelihood_on_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "common/random.hpp"
#include "posterior_cases.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/sample.hpp"

namespace sojourn {
namespace {

using Sample = LikelihoodOnLine::Sample;
constexpr double kRtol = 1e-9;

/// log likelihood of a hundred exponential times that sum to 100, by z = log rate.
LinePoint exponential_data(double z) { return {100 * z - 100 * std::exp(z), 100 - 100 * std::exp(z)}; }

template <class Function>
LikelihoodOnLine::Evaluate sampler(Function function) {
  return [function](std::span<const double> z, std::span<Sample> samples) {
    for (std::size_t i = 0; i < z.size(); ++i) {
      const LinePoint point = function(z[i]);
      samples[i] = {point.value, point.slope, 0, std::isfinite(point.value)};
    }
  };
}

TEST(LikelihoodOnLine, FollowsAnAnalyticFunction) {
  LikelihoodOnLine line(0.5, kRtol, 0.1);
  PhiloxStream random(1, kStreamInitial, 0);
  std::vector<double> z;
  for (int i = 0; i < 500; ++i) z.push_back(random.next_normal());
  line.prepare(z, sampler(exponential_data));
  for (const double place : z) {
    const auto found = line.at(place);
    ASSERT_TRUE(found.has_value()) << place;
    const LinePoint truth = exponential_data(place);
    // The function is entire, so what is left is rounding of sums of 20 terms of its size in the cell.
    EXPECT_NEAR(found->value, truth.value, 1e-13 * (100 + std::abs(truth.value)));
    EXPECT_NEAR(found->slope, truth.slope, 1e-13 * (100 + std::abs(truth.slope)));
  }
  EXPECT_LE(line.num_evaluations(), 20 * LikelihoodOnLine::kNumNodes);
  EXPECT_LE(line.worst_error(), 1e-12);
}

TEST(LikelihoodOnLine, TheEstimateIsNotExceededNearSingularities) {
  // Poles at distance d from the real axis: what is accepted must be right, whatever d.
  for (const double d : {0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0}) {
    const auto function = [d](double z) { return LinePoint{-10 - std::log(z * z + d * d), -2 * z / (z * z + d * d)}; };
    LikelihoodOnLine line(0.5, kRtol, 0.1);
    std::vector<double> z;
    for (int i = -150; i <= 150; ++i) z.push_back(0.01 * i + 0.0037);
    line.prepare(z, sampler(function));
    std::size_t answers = 0;
    for (const double place : z) {
      const auto found = line.at(place);
      if (!found) continue;
      ++answers;
      const LinePoint truth = function(place);
      EXPECT_NEAR(found->value, truth.value, kRtol * 14) << d << " " << place;
      EXPECT_NEAR(found->slope, truth.slope, kRtol * 2 / d) << d << " " << place;
      EXPECT_LE(std::abs(found->value - truth.value), 14 * line.worst_error() + 1e-13) << d << " " << place;
    }
    EXPECT_EQ(answers == z.size(), d >= 0.1) << d << ": " << answers;
    EXPECT_GT(answers, z.size() / 2) << d;
  }
}

TEST(LikelihoodOnLine, GivesNoAnswerAcrossAKinkOrAFailure) {
  LikelihoodOnLine line(0.5, kRtol, 0.1);
  const std::vector<double> z{-0.6, 0.2, 0.23, 0.6, 3.2};
  line.prepare(z, sampler([](double x) {
                 if (x > 3) return LinePoint{std::numeric_limits<double>::quiet_NaN(), 0};
                 return LinePoint{std::abs(x - 0.22), x > 0.22 ? 1.0 : -1.0};
               }));
  EXPECT_NEAR(line.at(-0.6)->value, 0.82, 1e-14);
  EXPECT_FALSE(line.at(0.23).has_value());
  EXPECT_NEAR(line.at(0.6)->slope, 1, 1e-14);
  EXPECT_FALSE(line.at(3.2).has_value());
  EXPECT_FALSE(line.at(7).has_value()) << "never prepared";
}

TEST(LikelihoodOnLine, AnErrorOfTheNodesCounts) {
  for (const double error : {0.5e-9, 2e-9}) {
    LikelihoodOnLine line(0.5, kRtol, 0.1);
    const double z = 0.1;
    line.prepare({&z, 1}, [&](std::span<const double> places, std::span<Sample> samples) {
      for (std::size_t i = 0; i < places.size(); ++i) samples[i] = {-100, 0, error, true};
    });
    EXPECT_EQ(line.at(z).has_value(), error < kRtol);
  }
}

TEST(LikelihoodOnLine, AnAnswerDependsOnThePlaceAlone) {
  const auto function = [](double z) { return LinePoint{-10 - std::log(z * z + 0.04), -2 * z / (z * z + 0.04)}; };
  LikelihoodOnLine together(0.5, kRtol, 0.1), apart(0.5, kRtol, 0.1);
  std::vector<double> z;
  for (int i = 0; i < 40; ++i) z.push_back(0.05 * i - 1.013);
  together.prepare(z, sampler(function));
  for (auto place = z.rbegin(); place != z.rend(); ++place) apart.prepare({&*place, 1}, sampler(function));
  for (const double place : z) {
    EXPECT_EQ(together.at(place)->value, apart.at(place)->value);
    EXPECT_EQ(together.at(place)->slope, apart.at(place)->slope);
  }
}

/// One posterior read exactly and by polynomials.
class PosteriorOnLine : public ::testing::Test {
 protected:
  static Observations draws_from(const Model& model, const std::vector<double>& theta, std::int64_t count) {
    const Matrix<double> draws = sample(model, theta, {model.graph.unit_reward()}, count, /*seed=*/7, 1);
    return exact_observations(draws.values(), model.graph.time_kind(), "t.csv");
  }
  struct Answer {
    std::vector<double> value;
    Matrix<double> score;
    std::vector<std::string> status;
    CompressionReport report;
  };
  static Answer ask(const Model& model, const Observations& data, const std::map<std::string, Prior>& priors,
                    const std::map<std::string, double>& fixed, const Matrix<double>& z, DataCompression mode,
                    int num_threads = 1) {
    const Posterior posterior(model, data, priors, fixed, model.graph.unit_reward(), {.num_threads = num_threads},
                              mode);
    Answer answer{std::vector<double>(z.num_rows()), Matrix<double>(z.num_rows(), z.num_cols()), {}, {}};
    posterior.evaluate(z.view(), answer.value, answer.score.view(), answer.status);
    answer.report = posterior.compression();
    return answer;
  }
  static void expect_equal(const Model& model, const Observations& data, const std::map<std::string, Prior>& priors,
                           const std::map<std::string, double>& fixed, const Matrix<double>& z) {
    const Answer exact = ask(model, data, priors, fixed, z, DataCompression::kOff);
    const Answer line = ask(model, data, priors, fixed, z, DataCompression::kAuto);
    const auto weight = static_cast<double>(data.items.size());
    EXPECT_EQ(exact.report.num_line_answers, 0);
    EXPECT_EQ(line.report.num_line_answers, static_cast<std::int64_t>(z.num_rows()));
    EXPECT_LE(line.report.line_error, kRtol);
    for (std::size_t i = 0; i < z.num_rows(); ++i) {
      EXPECT_EQ(line.status[i], "");
      // The estimate accepts 1e-9 of the value; the exact sum's own bound is the same.
      EXPECT_NEAR(line.value[i], exact.value[i], kRtol * std::max(weight, std::abs(exact.value[i]))) << z(i, 0);
      EXPECT_NEAR(line.score(i, 0), exact.score(i, 0), 1e-8 * std::max(weight, std::abs(exact.score(i, 0)))) << z(i, 0);
    }
  }
};

TEST_F(PosteriorOnLine, GivesTheExactDensityAndScore) {
  Matrix<double> z(60, 1);
  for (std::size_t i = 0; i < 60; ++i) z(i, 0) = -2 + 0.067 * static_cast<double>(i);
  {
    SCOPED_TRACE("coalescent, thousand times");
    const Model model = coalescent_lineages(7);
    expect_equal(model, draws_from(model, {1}, 1000), {{"theta", Prior(PriorFamily::kLognormal, 0, 1)}}, {}, z);
  }
  {
    SCOPED_TRACE("Coxian of two stages, all but one parameter fixed, few times");
    const Model model = coxian(2);
    std::map<std::string, double> fixed;
    for (std::size_t p = 1; p < model.parameters.size(); ++p) fixed[model.parameters[p].name] = 0.7;
    expect_equal(model, draws_from(model, {1.5, 0.7, 0.7}, 20),
                 {{model.parameters[0].name, Prior(PriorFamily::kGamma, 2, 1)}}, fixed, z);
  }
  {
    SCOPED_TRACE("a bounded parameter");
    const Model model = coalescent_lineages(4);
    expect_equal(model, draws_from(model, {1}, 100), {{"theta", Prior(PriorFamily::kUniform, 0.2, 3)}}, {}, z);
  }
}

TEST_F(PosteriorOnLine, ThreadsAndCompanyDoNotChangeABit) {
  const Model model = coalescent_lineages(5);
  const Observations data = draws_from(model, {1}, 300);
  const std::map<std::string, Prior> priors{{"theta", Prior(PriorFamily::kLognormal, 0, 1)}};
  Matrix<double> z(33, 1), last(1, 1);
  for (std::size_t i = 0; i < 33; ++i) z(i, 0) = -1 + 0.0613 * static_cast<double>(i);
  last(0, 0) = z(32, 0);
  const Answer all = ask(model, data, priors, {}, z, DataCompression::kAuto, 2);
  const Answer one = ask(model, data, priors, {}, last, DataCompression::kAuto, 1);
  EXPECT_EQ(all.value[32], one.value[0]);
  EXPECT_EQ(all.score(32, 0), one.score(0, 0));
}

TEST_F(PosteriorOnLine, WhatCannotBeEvaluatedKeepsItsReason) {
  const Model model = coalescent_lineages(5);
  const Observations data = draws_from(model, {1}, 3);
  const std::map<std::string, Prior> priors{{"theta", Prior(PriorFamily::kLognormal, 0, 1)}};
  Matrix<double> z(3, 1);
  z(0, 0) = std::numeric_limits<double>::quiet_NaN();
  z(1, 0) = 0.3;
  z(2, 0) = 690;
  const Answer exact = ask(model, data, priors, {}, z, DataCompression::kOff);
  const Answer line = ask(model, data, priors, {}, z, DataCompression::kAuto);
  EXPECT_EQ(line.status[0], exact.status[0]);
  EXPECT_NE(line.status[0], "");
  EXPECT_TRUE(std::isnan(line.value[0]) && std::isnan(line.score(0, 0)));
  EXPECT_EQ(line.status[1], "");
  EXPECT_EQ(line.status[2].empty(), exact.status[2].empty());
}

}  // namespace
}  // namespace sojourn
