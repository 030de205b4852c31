#include "evaluation/multi_law.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>

#include "oracle/golden.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

MultiAnswer law(const oracle::ZooChain& chain, LawKind kind, std::vector<double> points, int digits = 20,
                bool gradient = false) {
  return multi_law(chain.graph, eliminate(chain.graph), chain.phi, chain.reward, kind, points, digits, gradient);
}

TEST(MultiLaw, ExponentialToFiftyDigits) {
  // Rate 3/4. Digits by mpmath 1.3, mp.dps = 60: nstr(mpf('0.75') * exp(-mpf('0.75') * 2), 50) and so on.
  const oracle::ZooChain chain = oracle::zoo_exponential();
  const MultiAnswer density = law(chain, LawKind::kPdf, {2}, 50, true);
  EXPECT_EQ(density.message, "");
  EXPECT_LE(density.agreement[0], 1e-50);
  EXPECT_EQ(density.text[0].substr(0, 50), "1.673476201113223716999603530730093910066287220208");
  // d/drate (rate exp(-rate t)) = (1 - rate t) exp(-rate t).
  EXPECT_DOUBLE_EQ(density.gradient[0], -0.5 * std::exp(-1.5));
  const MultiAnswer tail = law(chain, LawKind::kLogSurvival, {100}, 40);
  EXPECT_EQ(tail.value[0], -75);
}

/// Every number of digits that may be asked for, also just below and above what a step of the ladder gives.
TEST(MultiLaw, AnyNumberOfDigits) {
  using Reference = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<560>>;
  const Reference density = Reference(0.75) * exp(-Reference(1.5));
  // The same as above, by mpmath.
  ASSERT_EQ(density.str(50, std::ios_base::scientific).substr(0, 50),
            "1.673476201113223716999603530730093910066287220208");
  for (const int digits : {1, 20, 30, 31, 75, 76, 90, 100, 101, 200, 201, 500}) {
    const MultiAnswer answer = law(oracle::zoo_exponential(), LawKind::kPdf, {2}, digits);
    EXPECT_EQ(answer.message, "") << digits;
    const Reference error = abs(Reference(answer.text[0]) - density) / density;
    EXPECT_LE(error, 6 * pow(Reference(10), -digits)) << digits;
  }
  // The third success at trial 12: C(11, 2) p^3 (1 - p)^9, by products alone.
  const oracle::ZooChain trials = oracle::zoo_negative_binomial();
  const Reference p(trials.phi[0]);
  Reference mass = 55 * p * p * p;
  for (int n = 0; n < 9; ++n) mass *= 1 - p;
  for (const int digits : {30, 90, 120, 300}) {
    const MultiAnswer answer = law(trials, LawKind::kPdf, {12}, digits);
    EXPECT_EQ(answer.message, "") << digits;
    EXPECT_LE(abs(Reference(answer.text[0]) - mass) / mass, 6 * pow(Reference(10), -digits)) << digits;
  }
  for (const int digits : {90, 380, 420, 500}) {
    const MultiAnswer mean =
        multi_moments(oracle::zoo_exponential().graph, eliminate(oracle::zoo_exponential().graph),
                      oracle::zoo_exponential().phi, oracle::zoo_exponential().reward, 1, digits, false);
    EXPECT_EQ(mean.message, "") << digits;
    EXPECT_LE(abs(Reference(mean.text[0]) * 3 / 4 - 1), 6 * pow(Reference(10), -digits)) << digits;
  }
}

/// Tails that a contour of 60 or 150 digits does not see: log f(300) of an Erlang law.
TEST(MultiLaw, FarTails) {
  const oracle::ZooChain chain = oracle::zoo_exponential();
  // log(3/4) - 3/4 t.
  for (const double t : {40.0, 150.0, 300.0}) {
    const MultiAnswer answer = law(chain, LawKind::kLogPdf, {t}, 20);
    EXPECT_EQ(answer.message, "") << t;
    EXPECT_EQ(answer.value[0], std::log(0.75) - 0.75 * t) << t;
  }
}

TEST(MultiLaw, ComplexPolesAndStiffChainsAgainstGoldenValues) {
  int checked = 0;
  for (const char* name : {"ring_complex", "two_deme_4_stiff", "dense_random_6", "zero_reward", "defective",
                           "ring_slow", "geometric_mix", "discrete_zero_reward", "negative_binomial"}) {
    if (!oracle::golden().contains(name)) continue;
    const auto& golden = oracle::golden().at(name);
    const oracle::ZooChain chain = oracle::zoo_by_name(name);
    const bool discrete = chain.graph.time_kind() == TimeKind::kDiscrete;
    std::vector<double> points;
    std::vector<std::size_t> place;
    for (std::size_t n = 0; n < golden.times.size(); ++n) {
      // Within reach of the ladder: a bulk and moderate tails.
      if (golden.log_pdf[n] < -40 || golden.times[n] > (discrete ? 200 : 1e6)) continue;
      points.push_back(golden.times[n]);
      place.push_back(n);
      if (points.size() == 4) break;
    }
    if (points.empty()) continue;
    const MultiAnswer density = law(chain, LawKind::kLogPdf, points, 16),
                      cdf = law(chain, LawKind::kLogCdf, points, 16);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (std::isnan(density.value[i])) continue;  // oscillating faster than the largest contour can hold
      ++checked;
      // Golden values are rounded to double.
      EXPECT_NEAR(density.value[i], golden.log_pdf[place[i]], 1e-15 * (1 + std::abs(golden.log_pdf[place[i]])))
          << name << " t " << points[i];
      EXPECT_NEAR(cdf.value[i], golden.log_cdf[place[i]], 1e-15 * (1 + std::abs(golden.log_cdf[place[i]])))
          << name << " t " << points[i];
    }
  }
  EXPECT_GE(checked, 16);
}

TEST(MultiLaw, GradientsOfEveryKind) {
  // Coxian of two phases against the closed form of the hypoexponential: rates 1 and 2 in series.
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  oracle::edge(builder, 0, 1, 0, {{0, 1}});
  oracle::edge(builder, 1, 2, 0, {{1, 1}});
  builder.add_initial(0, 1);
  const oracle::ZooChain chain = oracle::finish("two_stages", std::move(builder), {1.0, 2.0});
  const double t = 0.7, a = std::exp(-t), b = std::exp(-2 * t);
  const MultiAnswer density = law(chain, LawKind::kPdf, {t}, 20, true);
  // f = x y / (y - x) (exp(-x t) - exp(-y t)); by x at (1, 2): 4 (a - b) - 2 t a, by y: -(a - b) + 2 t b.
  EXPECT_NEAR(density.value[0], 2 * (a - b), 1e-15);
  EXPECT_NEAR(density.gradient[0], 4 * (a - b) - 2 * t * a, 4e-15);
  EXPECT_NEAR(density.gradient[1], -(a - b) + 2 * t * b, 4e-15);
  const MultiAnswer moments = multi_moments(chain.graph, eliminate(chain.graph), chain.phi, chain.reward, 2, 30, true);
  EXPECT_EQ(moments.value[0], 1.5);
  EXPECT_EQ(moments.value[1], 3.5);  // 2 (1 / x^2 + 1 / (x y) + 1 / y^2)
  EXPECT_NEAR(moments.gradient[0], -1, 1e-15);
  EXPECT_NEAR(moments.gradient[2], -5, 1e-14);  // -4 / x^3 - 2 / (x^2 y)
  EXPECT_NEAR(moments.gradient[3], -1, 1e-14);  // -2 / (x y^2) - 4 / y^3
  const double s = 0.25;
  const MultiAnswer laplace =
      multi_laplace(chain.graph, eliminate(chain.graph), chain.phi, chain.reward, {&s, 1}, 30, true);
  EXPECT_DOUBLE_EQ(laplace.value[0], 1 / 1.25 * 2 / 2.25);
  EXPECT_DOUBLE_EQ(laplace.gradient[0], s / (1.25 * 1.25) * 2 / 2.25);
}

TEST(MultiLaw, GoldenMoments) {
  for (const char* name : {"coalescent_10", "dense_random_6", "ring_slow", "geometric_mix", "discrete_zero_reward"}) {
    if (!oracle::golden().contains(name)) continue;
    const auto& golden = oracle::golden().at(name);
    const oracle::ZooChain chain = oracle::zoo_by_name(name);
    const MultiAnswer moments =
        multi_moments(chain.graph, eliminate(chain.graph), chain.phi, chain.reward, 4, 20, false);
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_NEAR(moments.value[k], golden.moments[k], 2.3e-16 * golden.moments[k]) << name << " order " << k + 1;
  }
}

TEST(MultiLaw, ZeroIsClosed) {
  const oracle::ZooChain chain = oracle::zoo_exponential();
  EXPECT_DOUBLE_EQ(law(chain, LawKind::kPdf, {0}).value[0], 0.75);
  EXPECT_EQ(law(chain, LawKind::kSurvival, {0}).value[0], 1);
}

TEST(MultiLaw, WhatDoesNotSettleIsNoNumber) {
  // A tail of 1e-3000 against a contour whose terms are of order one: no step of the ladder sees it.
  const MultiAnswer answer = law(oracle::zoo_exponential(), LawKind::kPdf, {10'000});
  EXPECT_TRUE(std::isnan(answer.value[0]));
  EXPECT_NE(answer.message.find("do not settle"), std::string::npos);
}

TEST(MultiLaw, BadRequestsAreUsageErrors) {
  EXPECT_THROW(law(oracle::zoo_exponential(), LawKind::kPdf, {1}, 0), UsageError);
  EXPECT_THROW(law(oracle::zoo_exponential(), LawKind::kPdf, {1}, 501), UsageError);
  EXPECT_THROW(law(oracle::zoo_exponential(), LawKind::kPdf, {-1}), UsageError);
  EXPECT_THROW(law(oracle::zoo_negative_binomial(), LawKind::kPdf, {2001}), UsageError);
}

/// 0.1 + 0.2 is no double: a sum of coefficients that is rounded would leave a part in 1e17 as a floor under the tail.
TEST(MultiLaw, TailsHaveNoFloor) {
  const auto chain_of = [](TimeKind time_kind) {
    StateGraphBuilder builder(time_kind, 1);
    builder.ensure_states(3);
    oracle::edge(builder, 0, 1, 0, {{0, 0.1}});
    oracle::edge(builder, 0, 2, 0, {{0, 0.2}});
    oracle::edge(builder, 1, 2, 0, {{0, 0.7}});
    builder.add_initial(0, 1);
    return oracle::finish("floor", std::move(builder), {1.0});
  };
  const long double first = static_cast<long double>(0.1) + static_cast<long double>(0.2), second = 0.7;
  for (const double t : {20.0, 200.0, 600.0}) {
    // From the first state directly, or by way of the second.
    const auto survival = [&](long double stay, long double stay_second) {
      return stay + static_cast<long double>(0.1) / (second - first) * (stay - stay_second);
    };
    const oracle::ZooChain time = chain_of(TimeKind::kContinuous), counts = chain_of(TimeKind::kDiscrete);
    const MultiAnswer in_time = multi_law(time.graph, eliminate(time.graph), time.phi, time.reward,
                                          LawKind::kLogSurvival, std::span(&t, 1), 30, false);
    EXPECT_NEAR(in_time.value[0], static_cast<double>(std::log(survival(std::exp(-first * t), std::exp(-second * t)))),
                1e-15 * (1 + t));
    const MultiAnswer in_counts = multi_law(counts.graph, eliminate(counts.graph), counts.phi, counts.reward,
                                            LawKind::kLogSurvival, std::span(&t, 1), 30, false);
    EXPECT_NEAR(in_counts.value[0],
                static_cast<double>(std::log(survival(std::pow(1 - first, static_cast<long double>(t)),
                                                      std::pow(1 - second, static_cast<long double>(t))))),
                1e-15 * (1 + t));
  }
}

}  // namespace
}  // namespace sojourn
