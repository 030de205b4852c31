#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "evaluation/stepping.hpp"
#include "evaluation/uniformization_weights.hpp"
#include "evaluation/uniformization_wide.hpp"
#include "oracle/dense.hpp"
#include "oracle/golden.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using oracle::Golden;
using oracle::ZooChain;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Keeps the golden tests to a minute; the points beyond are tested to be refused.
constexpr double kTestTerms = 5e7;
/// Derivatives of a value near 1 that are smaller were not resolved by the golden differences and stand as 0.
constexpr double kResolved = 1e-120;

NumericChain chain_of(const ZooChain& zoo, bool gradient = true) {
  return numeric_chain(zoo.graph, zoo.phi, zoo.reward, gradient);
}

LawValues evaluate(const NumericChain& chain, double t, bool gradient = true, std::int64_t max_terms = 200'000'000) {
  LawValues values;
  const std::vector<LawPoint> points{{t, true, true, true}};
  uniformization(chain, points, 1e-9, max_terms, gradient, values);
  return values;
}

/// Relative error of the value behind a log; the tolerance is the bound the routine itself returns, and at most 1e-9.
void expect_log(double actual, double expected, double bound) {
  if (std::isinf(expected)) {
    EXPECT_EQ(actual, expected);
    return;
  }
  EXPECT_NEAR(actual, expected, bound);
  EXPECT_LT(bound, 1e-9);
  // Where the value is close to 1 its logarithm keeps relative accuracy as well.
  EXPECT_NEAR(actual, expected, 1e-9 * std::fabs(expected) + 1e-290);
}

/// In units of d log value / d log phi; 1e-8 is the accuracy asked of gradients. The floor is for a density, whose
/// derivative may change its sign at just this time.
void expect_gradient(const std::vector<double>& actual, const std::vector<double>& expected,
                     const std::vector<double>& phi, double floor) {
  double scale = floor;
  for (std::size_t k = 0; k < phi.size(); ++k) scale = std::max(scale, std::fabs(expected[k]) * phi[k]);
  for (std::size_t k = 0; k < phi.size(); ++k) EXPECT_NEAR(actual[k] * phi[k], expected[k] * phi[k], 1e-8 * scale);
}

class UniformizationGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(UniformizationGolden, ValuesAndGradientsFromTailToTail) {
  const ZooChain zoo = oracle::zoo_by_name(GetParam());
  const Golden& golden = oracle::golden().at(zoo.name);
  const NumericChain chain = chain_of(zoo);
  std::size_t num_tested = 0;
  for (std::size_t i = 0; i < golden.times.size(); ++i) {
    SCOPED_TRACE(golden.times[i]);
    const std::vector<LawPoint> point{{golden.times[i], true, true, true}};
    if (uniformization_cost(chain, point, 1e-9, false) > kTestTerms) continue;
    const LawValues values = evaluate(chain, golden.times[i]);
    ++num_tested;
    const double bound = values.error_bound[0];
    expect_log(values.log_density[0], golden.log_pdf[i], bound);
    expect_log(values.log_cdf[0], golden.log_cdf[i], bound);
    expect_log(values.log_survival[0], golden.log_survival[i], bound);
    expect_gradient(values.density_gradient, golden.log_pdf_gradient[i], zoo.phi, 1e-3);
    expect_gradient(values.cdf_gradient, golden.log_cdf_gradient[i], zoo.phi, kResolved);
    expect_gradient(values.survival_gradient, golden.log_survival_gradient[i], zoo.phi, kResolved);
  }
  EXPECT_GE(num_tested, 1U);  // of the slow ring the rest takes 1e9 steps and more
}

INSTANTIATE_TEST_SUITE_P(Zoo, UniformizationGolden,
                         ::testing::Values("coalescent_2", "coalescent_4", "coalescent_10", "coalescent_40",
                                           "exponential", "erlang_50", "two_deme_3", "two_deme_8", "two_deme_4_stiff",
                                           "ring_slow", "ring_complex", "ring_oscillating", "hyperexponential",
                                           "hypoexponential_near_equal", "defective", "zero_reward", "all_atom",
                                           "queue_20_from_1", "queue_20_from_20", "queue_200_from_1",
                                           "queue_200_from_200"),
                         [](const auto& info) { return info.param; });

TEST(Uniformization, ManyPointsAtOnceGiveTheBitsOfOneByOne) {
  const NumericChain chain = chain_of(oracle::zoo_complex_ring());
  std::vector<LawPoint> points;
  for (int i = 0; i < 40; ++i) points.push_back({0.05 * std::pow(1.4, i % 25), true, i % 2 == 0, i % 3 == 0});
  points.push_back({0, true, true, true});
  points.push_back({2000, true, true, false});  // needs the wide run
  LawValues together;
  uniformization(chain, points, 1e-9, 200'000'000, true, together);
  for (std::size_t i = 0; i < points.size(); ++i) {
    LawValues alone;
    uniformization(chain, {&points[i], 1}, 1e-9, 200'000'000, true, alone);
    EXPECT_EQ(together.log_density[i], alone.log_density[0]);
    EXPECT_EQ(together.density_gradient[2 * i], alone.density_gradient[0]);
    if (points[i].survival) {
      EXPECT_EQ(together.log_survival[i], alone.log_survival[0]);
    } else {
      EXPECT_TRUE(std::isnan(together.log_survival[i]));
    }
  }
}

TEST(Uniformization, CyclesWithRareExitsMatchTheDenseExponential) {
  const ZooChain zoo = oracle::zoo_slow_ring();
  const NumericChain chain = chain_of(zoo);
  const oracle::DenseChain dense = oracle::dense_chain(zoo);
  for (const double t : {1e-3, 0.5, 20.0, 3000.0}) {
    const LawValues values = evaluate(chain, t);
    const oracle::DenseLaw law = oracle::dense_law(dense, t);
    // The squarings of the reference lose about rate * t units of long double, 1e-16 in all.
    EXPECT_NEAR(values.log_density[0], static_cast<double>(std::log(law.density)), 1e-14 + values.error_bound[0]);
    EXPECT_NEAR(values.log_cdf[0], static_cast<double>(std::log(law.cdf)), 1e-14 + values.error_bound[0]);
    EXPECT_NEAR(values.log_survival[0], static_cast<double>(std::log1p(-law.cdf)),
                1e-11 * static_cast<double>(law.cdf));
    // The law of the exit is scale * phi_1: d log f / d log phi_1 = 1 up to the cdf.
    EXPECT_NEAR(values.density_gradient[1] * zoo.phi[1], 1, 1e-8);
  }
}

TEST(Uniformization, QueueOfTenThousandStatesFromOneIsThatOfAThousand) {
  // The larger capacity shows with probability 1.5^-1000 only.
  const oracle::Golden& golden = oracle::golden().at("queue_1000_from_1");
  const ZooChain zoo = oracle::zoo_queue(10'000, 1);
  const NumericChain chain = chain_of(zoo);
  for (std::size_t i = 0; i < golden.times.size(); ++i) {
    if (golden.times[i] > 50) continue;
    const LawValues values = evaluate(chain, golden.times[i]);
    expect_log(values.log_density[0], golden.log_pdf[i], values.error_bound[0]);
    expect_log(values.log_cdf[0], golden.log_cdf[i], values.error_bound[0]);
    expect_gradient(values.density_gradient, golden.log_pdf_gradient[i], zoo.phi, 1e-3);
  }
}

TEST(Uniformization, TimeZeroIsTheStartItself) {
  const ZooChain zoo = oracle::zoo_defective();
  const NumericChain chain = chain_of(zoo);
  const LawValues values = evaluate(chain, 0);
  EXPECT_EQ(values.log_density[0], -kInfinity);  // no edge leads from a start state into absorption
  EXPECT_EQ(values.density_gradient, (std::vector<double>{0, 0}));
  EXPECT_NEAR(std::exp(values.log_survival[0]), 0.85, 1e-15);
  EXPECT_NEAR(std::exp(values.log_cdf[0]), 0.15, 1e-15);
  const LawValues exponential = evaluate(chain_of(oracle::zoo_exponential()), 0);
  EXPECT_NEAR(exponential.log_density[0], std::log(0.75), 1e-15);
  EXPECT_NEAR(exponential.density_gradient[0], 1 / 0.75, 1e-15);
  EXPECT_EQ(exponential.log_survival[0], 0);
  EXPECT_EQ(exponential.log_cdf[0], -kInfinity);
}

TEST(Uniformization, UnderflowFarBeyondDoubleMatchesTheExponential) {
  const NumericChain chain = chain_of(oracle::zoo_exponential());
  for (const double t : {1e-300, 1e-20, 1e5, 1e7}) {
    const LawValues values = evaluate(chain, t);
    EXPECT_NEAR(values.log_survival[0], -0.75 * t, 1e-15 * t);
    EXPECT_NEAR(values.log_density[0], std::log(0.75) - 0.75 * t, 1e-15 * (1 + t));
    EXPECT_NEAR(values.survival_gradient[0], -t, 1e-13 * t);
    EXPECT_NEAR(values.log_cdf[0], t < 1 ? std::log(0.75 * t) : 0, 1e-13 * 700);
  }
}

TEST(Uniformization, LeftTailOfALongQueueMatchesItsLeadingTerm) {
  // From 2000 customers to none: f(t) = d^2000 t^1999 / 1999! (1 + O(t)), far below double's range on the way.
  const NumericChain chain = chain_of(oracle::zoo_queue(2000, 2000), false);
  const double t = 1e-7;
  const LawValues values = evaluate(chain, t, false);
  const double expected = 2000 * std::log(1.5) + 1999 * std::log(t) - std::lgamma(2000.0);
  // The next terms of the series: -(sum of exit rates) t / 2000 each step, about 2.5 t in all.
  EXPECT_NEAR(values.log_density[0], expected - 2.5 * t, 1e-7 + 1e-12 * std::fabs(expected));
  EXPECT_LT(values.log_density[0], -30'000);
}

TEST(Uniformization, EdgeWithZeroRateHasItsDerivative) {
  // 0 -> 1 at rate a, 1 -> 2 at rate b, and 0 -> 2 at rate c = 0: d f / d c = d/dc of the closed form.
  StateGraphBuilder builder(TimeKind::kContinuous, 3);
  builder.ensure_states(3);
  builder.add_edge(0, 1, 0, std::vector<RateTerm>{{0, 1}});
  builder.add_edge(0, 2, 0, std::vector<RateTerm>{{2, 1}});
  builder.add_edge(1, 2, 0, std::vector<RateTerm>{{1, 1}});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  const double a = 3, b = 1, t = 0.4;
  const NumericChain chain = numeric_chain(graph, std::vector<double>{a, b, 0.0}, graph.unit_reward(), true);
  const LawValues values = evaluate(chain, t);
  // f = c e^{-qt} + b a (e^{-bt} - e^{-qt}) / (q - b), q = a + c.
  const double fast = std::exp(-a * t), slow = std::exp(-b * t);
  const double density = a * b * (slow - fast) / (a - b);
  const double slope = fast + a * b * (t * fast / (a - b) - (slow - fast) / ((a - b) * (a - b)));
  EXPECT_NEAR(values.log_density[0], std::log(density), 1e-14);
  EXPECT_NEAR(values.density_gradient[2], slope / density, 1e-13);
}

TEST(Uniformization, ZeroStatesLeaveTheAtomAlone) {
  const LawValues values = evaluate(chain_of(oracle::zoo_all_atom()), 3);
  EXPECT_EQ(values.log_density[0], -kInfinity);
  EXPECT_EQ(values.log_survival[0], -kInfinity);
  EXPECT_NEAR(values.log_cdf[0], 0, 1e-15);
}

TEST(Uniformization, AllRatesZeroNeverAbsorbs) {
  const ZooChain zoo = oracle::zoo_erlang(5);
  const NumericChain chain = numeric_chain(zoo.graph, std::vector<double>{0}, zoo.reward, true);
  const LawValues values = evaluate(chain, 10);
  EXPECT_EQ(values.log_density[0], -kInfinity);
  EXPECT_EQ(values.log_survival[0], 0);
  EXPECT_EQ(values.log_cdf[0], -kInfinity);
}

TEST(Uniformization, LongRunsAreRefusedBeforeTheyStart) {
  const NumericChain chain = chain_of(oracle::zoo_slow_ring());
  try {
    evaluate(chain, 1e12);
    FAIL() << "1e12 steps were taken";
  } catch (const NumericalError& error) {
    const std::string message = error.what();
    for (const char* part : {"steps", "200000000 allowed", "--max-terms", "--method"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
  EXPECT_THROW(evaluate(chain, -1), UsageError);
  EXPECT_THROW(evaluate(chain, kInfinity), UsageError);
  EXPECT_THROW(evaluate(chain_of(oracle::zoo_negative_binomial()), 1), UsageError);
  const std::vector<LawPoint> early{{1, true, false, false}}, late{{1000, true, false, false}};
  EXPECT_LT(uniformization_cost(chain, early, 1e-9, false), uniformization_cost(chain, late, 1e-9, false));
  EXPECT_LT(uniformization_cost(chain, late, 1e-9, false), uniformization_cost(chain, late, 1e-9, true));
}

TEST(PoissonWeights, SumToOneAndKeepTheMean) {
  for (const double mean : {1e-8, 0.3, 7.0, 123.4, 5e4, 3e7}) {
    const auto middle = static_cast<std::int64_t>(mean);
    const auto width = static_cast<std::int64_t>(10 * std::sqrt(mean) + 40);
    std::vector<double> mantissa(64);
    std::vector<std::int64_t> exponent(64);
    long double total = 0, first = 0;
    for (std::int64_t n = std::max<std::int64_t>(0, middle - width); n < middle + width; n += 64) {
      poisson_run(mean, n, mantissa, exponent);
      for (int i = 0; i < 64; ++i) {
        const long double weight = std::ldexp(static_cast<long double>(mantissa[i]), static_cast<int>(exponent[i]));
        total += weight;
        first += weight * static_cast<long double>(n + i);
      }
    }
    EXPECT_NEAR(static_cast<double>(total), 1, 2e-14) << mean;
    EXPECT_NEAR(static_cast<double>(first / mean), 1, 2e-14) << mean;
  }
}

TEST(PoissonWeights, FarTailsKeepTheirLogarithm) {
  // log p = n log m - m - log n!, evaluated in long double; the values are far below the range of double.
  for (const auto& [n, mean] : {std::pair{5000.0, 1e-3}, std::pair{100.0, 1e5}, std::pair{12.0, 2e4}}) {
    const long double expected = static_cast<long double>(n) * std::log(static_cast<long double>(mean)) - mean -
                                 std::lgamma(static_cast<long double>(n) + 1);
    const auto first = static_cast<std::int64_t>(n) - 12;
    std::vector<double> mantissa(64);
    std::vector<std::int64_t> exponent(64);
    poisson_run(mean, first, mantissa, exponent);
    EXPECT_NEAR(log_scaled(mantissa[12], exponent[12]), static_cast<double>(expected),
                1e-14 * std::fabs(static_cast<double>(expected)));
    EXPECT_NEAR(log_poisson(first + 12, mean), static_cast<double>(expected),
                1e-14 * std::fabs(static_cast<double>(expected)));
  }
}

TEST(Wide, SumsAndProductsAcrossTheRange) {
  Wide product(1.0);
  for (int i = 0; i < 5000; ++i) product = product * Wide(0x1p-7);
  EXPECT_EQ(log_scaled(product.mantissa, 512 * product.exponent), -35'000 * std::log(2.0));
  Wide sum = product;
  sum += product;
  EXPECT_EQ(sum.mantissa * std::ldexp(1.0, static_cast<int>(512 * (sum.exponent - product.exponent))),
            2 * product.mantissa);
  sum += Wide(-2.0) * product;
  EXPECT_TRUE(sum.is_zero());
  sum += Wide(1e-300);
  EXPECT_NEAR(log_scaled(sum.mantissa, 512 * sum.exponent), -300 * std::log(10.0), 1e-12);
  // Neighbouring exponents overlap.
  Wide a(0x1p255, 0);
  a += Wide(0x1p-255, 1);
  EXPECT_EQ(log_scaled(a.mantissa, 512 * a.exponent), std::log(2.0) * 257 + std::log1p(0.25));
}

}  // namespace
}  // namespace sojourn
