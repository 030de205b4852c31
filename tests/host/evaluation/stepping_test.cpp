#include "evaluation/stepping.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "oracle/golden.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using oracle::ZooChain;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class SteppingGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(SteppingGolden, ValuesAndGradientsOfAllCountsInOneRun) {
  const ZooChain zoo = oracle::zoo_by_name(GetParam());
  const oracle::Golden& golden = oracle::golden().at(zoo.name);
  const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, true);
  std::vector<LawPoint> points;
  for (const double count : golden.times) points.push_back({count, true, true, true});
  std::swap(points.front(), points.back());  // any order will do
  LawValues values;
  stepping(chain, points, 200'000'000, true, values);
  const std::size_t num_rates = zoo.phi.size();
  for (std::size_t i = 0; i < points.size(); ++i) {
    SCOPED_TRACE(points[i].value);
    const std::size_t at = i == 0 ? points.size() - 1 : i == points.size() - 1 ? 0 : i;
    const auto check = [&](double actual, double expected, const double* slope, const std::vector<double>& truth) {
      if (std::isinf(expected)) {
        EXPECT_EQ(actual, expected);
      } else {
        EXPECT_NEAR(actual, expected, values.error_bound[i]);
      }
      // 1e-10 of d log value / d log phi, at least that of 1e-3: a mass may stand still in phi at just this count.
      double scale = 1e-3;
      for (std::size_t k = 0; k < num_rates; ++k) scale = std::max(scale, std::fabs(truth[k]) * zoo.phi[k]);
      for (std::size_t k = 0; k < num_rates; ++k)
        EXPECT_NEAR(slope[k] * zoo.phi[k], truth[k] * zoo.phi[k], 1e-10 * scale);
    };
    check(values.log_density[i], golden.log_pdf[at], &values.density_gradient[i * num_rates],
          golden.log_pdf_gradient[at]);
    check(values.log_cdf[i], golden.log_cdf[at], &values.cdf_gradient[i * num_rates], golden.log_cdf_gradient[at]);
    check(values.log_survival[i], golden.log_survival[at], &values.survival_gradient[i * num_rates],
          golden.log_survival_gradient[at]);
    EXPECT_LT(values.error_bound[i], 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, SteppingGolden,
                         ::testing::Values("negative_binomial", "geometric_mix", "discrete_zero_reward"),
                         [](const auto& info) { return info.param; });

TEST(Stepping, NegativeBinomialMatchesItsClosedForm) {
  const ZooChain zoo = oracle::zoo_negative_binomial();
  const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, true);
  const double p = zoo.phi[0];
  std::vector<LawPoint> points;
  for (int n = 0; n <= 40; ++n) points.push_back({static_cast<double>(n), true, false, false});
  LawValues values;
  stepping(chain, points, 1'000'000, true, values);
  for (int n = 0; n <= 40; ++n) {
    const double ways = 0.5 * (n - 1) * (n - 2);
    const double expected = n < 3 ? -kInfinity : std::log(ways) + 3 * std::log(p) + (n - 3) * std::log1p(-p);
    if (n < 3) {
      EXPECT_EQ(values.log_density[n], expected);
      EXPECT_EQ(values.density_gradient[n], 0);
    } else {
      EXPECT_NEAR(values.log_density[n], expected, 1e-14);
      EXPECT_NEAR(values.density_gradient[n], 3 / p - (n - 3) / (1 - p), 1e-12);
    }
    EXPECT_TRUE(std::isnan(values.log_cdf[n]));
  }
}

TEST(Stepping, CountZeroIsTheAtom) {
  const ZooChain zoo = oracle::zoo_geometric_mix();
  const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, false);
  LawValues values;
  stepping(chain, std::vector<LawPoint>{{0, true, true, true}}, 1000, false, values);
  EXPECT_NEAR(std::exp(values.log_density[0]), 0.1, 1e-16);
  EXPECT_NEAR(std::exp(values.log_cdf[0]), 0.1, 1e-16);
  EXPECT_NEAR(std::exp(values.log_survival[0]), 0.9, 1e-15);
}

TEST(Stepping, UnderflowStaysExactInTheLogarithm) {
  // P(N > n) = 0.99^n to n = 1e6: log about -1e4.
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(2);
  builder.add_edge(0, 1, 0, std::vector<RateTerm>{{0, 1}});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  const NumericChain chain = numeric_chain(graph, std::vector<double>{0.01}, graph.unit_reward(), true);
  LawValues values;
  stepping(chain, std::vector<LawPoint>{{1e6, true, true, true}}, 10'000'000, true, values);
  EXPECT_NEAR(values.log_survival[0], 1e6 * std::log1p(-0.01), values.error_bound[0]);
  EXPECT_NEAR(values.survival_gradient[0], -1e6 / 0.99, 1e-2 * 1e-9 * 1e6);
  EXPECT_NEAR(values.log_density[0], std::log(0.01) + (1e6 - 1) * std::log1p(-0.01), values.error_bound[0]);
  EXPECT_EQ(values.log_cdf[0], 0);
}

TEST(Stepping, CertainStepsEndTheLaw) {
  // Two steps of probability 1: the mass at 2 is 1, nothing before or after.
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(3);
  builder.add_edge(0, 1, 1, {});
  builder.add_edge(1, 2, 1, {});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  const NumericChain chain = numeric_chain(graph, std::vector<double>{1}, graph.unit_reward(), true);
  LawValues values;
  stepping(chain, std::vector<LawPoint>{{1, true, true, true}, {2, true, true, true}, {9, true, true, true}}, 1000,
           true, values);
  EXPECT_EQ(values.log_density, (std::vector<double>{-kInfinity, 0, -kInfinity}));
  EXPECT_EQ(values.log_cdf, (std::vector<double>{-kInfinity, 0, 0}));
  EXPECT_EQ(values.log_survival, (std::vector<double>{0, -kInfinity, -kInfinity}));
}

TEST(Stepping, RejectsBadCountsAndLongRuns) {
  const ZooChain zoo = oracle::zoo_negative_binomial();
  const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, false);
  LawValues values;
  for (const double bad : {-1.0, 1.5, kInfinity, 1e300}) {
    EXPECT_THROW(stepping(chain, std::vector<LawPoint>{{bad, true, false, false}}, 1000, false, values), UsageError);
  }
  try {
    stepping(chain, std::vector<LawPoint>{{1e9, true, false, false}}, 1000, false, values);
    FAIL() << "1e9 steps were taken";
  } catch (const NumericalError& error) {
    const std::string message = error.what();
    for (const char* part : {"1000000000 steps", "1000 allowed", "--max-terms"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
  const ZooChain continuous = oracle::zoo_exponential();
  const NumericChain other = numeric_chain(continuous.graph, continuous.phi, continuous.reward, false);
  EXPECT_THROW(stepping(other, std::vector<LawPoint>{{1, true, false, false}}, 1000, false, values), UsageError);
}

}  // namespace
}  // namespace sojourn
