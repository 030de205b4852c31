#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <stdexcept>

#include "evaluation/law.hpp"
#include "oracle/dense.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

struct Law {
  Law(oracle::ZooChain zoo, std::vector<LawPoint> points, LawMethod method = LawMethod::kAuto, double rtol = 1e-9,
      std::int64_t max_terms = 200'000'000)
      : chain(std::move(zoo)), prc(eliminate(chain.graph)) {
    EvaluatorOptions options;
    options.method = method;
    options.rtol = rtol;
    options.max_terms = max_terms;
    plan.emplace(chain.graph, prc, chain.reward, std::move(points), options);
    workspace = plan->make_workspace();
    methods.resize(plan->points().size());
  }
  LawOutcome values(bool gradient = false) { return plan->values(chain.phi, gradient, law, methods, *workspace); }

  oracle::ZooChain chain;
  Prc prc;
  std::optional<LawPlan> plan;
  LawPlan::WorkspacePtr workspace;
  LawValues law;
  std::vector<LawMethod> methods;
};

std::vector<LawPoint> densities(double first, double last, int count) {
  std::vector<LawPoint> points;
  for (int i = 0; i < count; ++i) {
    points.push_back({count == 1 ? first : first * std::pow(last / first, i / (count - 1.0)), true, false, false});
  }
  return points;
}

TEST(LawRoutes, BulkAndBothTailsByTheContour) {
  // Two slow stages after a fast one: rate times t is too large for uniformization to be the cheapest.
  std::vector<LawPoint> points = densities(0.5, 10, 20);
  points.insert(points.begin(), {1e-4, true, false, false});
  points.push_back({60, true, false, false});
  points.push_back({6000, true, false, false});
  Law law(oracle::zoo_two_deme(4, 1e6), points);
  const LawOutcome outcome = law.values();
  EXPECT_TRUE(outcome.ok) << outcome.message;
  EXPECT_EQ(outcome.num_contour, 23);
  EXPECT_LE(outcome.error_bound, 1e-9);
  EXPECT_LT(law.law.log_density.back(), -1000);
}

TEST(LawRoutes, ErlangFiftyIsTooMuchForTheContour) {
  Law law(oracle::zoo_erlang(50), densities(15, 40, 5), LawMethod::kContour);
  const LawOutcome outcome = law.values();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.message.find("contour"), std::string::npos) << outcome.message;
  EXPECT_NE(outcome.message.find("use auto"), std::string::npos) << outcome.message;
  EXPECT_EQ(outcome.num_saddlepoint + outcome.num_uniformization, 0) << "never a silent other route";

  Law automatic(oracle::zoo_erlang(50), densities(15, 40, 5));
  const LawOutcome handed_over = automatic.values();
  EXPECT_TRUE(handed_over.ok);
  EXPECT_EQ(handed_over.num_saddlepoint + handed_over.num_uniformization, 5);
  for (std::size_t n = 0; n < 5; ++n) {
    const double t = automatic.plan->points()[n].value;
    // Rate 2: f = 2^50 t^49 exp(-2 t) / 49!. lgamma is good to 1e-15 of 144.
    EXPECT_NEAR(automatic.law.log_density[n], 50 * std::log(2) + 49 * std::log(t) - 2 * t - std::lgamma(50), 1e-9);
  }
}

TEST(LawRoutes, RingsGoToUniformization) {
  Law law(oracle::zoo_complex_ring(), densities(0.5, 50, 8));
  const LawOutcome outcome = law.values();
  EXPECT_TRUE(outcome.ok) << outcome.message;
  EXPECT_EQ(outcome.num_uniformization, 8);
  for (const LawMethod method : {LawMethod::kContour, LawMethod::kSaddlepoint}) {
    Law forced(oracle::zoo_complex_ring(), densities(0.5, 50, 8), method);
    const LawOutcome refused = forced.values();
    EXPECT_FALSE(refused.ok);
    EXPECT_NE(refused.message.find("not proved real"), std::string::npos) << refused.message;
  }
}

TEST(LawRoutes, ShortTimesGoToUniformization) {
  // Rate times t below one on 230 states: a few steps beat 48 replays.
  Law law(oracle::zoo_two_deme(20), densities(1e-4, 1e-3, 3));
  const LawOutcome outcome = law.values();
  EXPECT_TRUE(outcome.ok) << outcome.message;
  EXPECT_EQ(outcome.num_uniformization, 3);
}

TEST(LawRoutes, QueueOfTenThousandStatesIsABusyPeriod) {
  // Until the queue is full, which it is not at these times, the time from 1 to 0 is the busy period of M/M/1:
  // f(t) = exp(-(a + b) t) I_1(2 t sqrt(a b)) / (t sqrt(a / b)).
  std::vector<LawPoint> points = densities(0.01, 100, 9);
  points.push_back({250, true, false, false});
  for (const LawMethod method : {LawMethod::kAuto, LawMethod::kSaddlepoint}) {
    Law law(oracle::zoo_queue(10'000, 1, 1.0, 1.5), points, method);
    const LawOutcome outcome = law.values(true);
    EXPECT_TRUE(outcome.ok) << outcome.message;
    for (std::size_t n = 0; n < points.size(); ++n) {
      const double t = points[n].value;
      const double truth =
          std::exp(-2.5 * t) * std::cyl_bessel_i(1.0, 2 * t * std::sqrt(1.5)) / (t * std::sqrt(1 / 1.5));
      // The Bessel function of the standard library is good to about 1e-12.
      EXPECT_NEAR(law.law.log_density[n], std::log(truth), 2e-9) << "t " << t;
      // By d I_1(x) / dx = I_0(x) - I_1(x) / x: log f changes with a by -t + x (I_0 / I_1 - 1 / x) / (2 a) - 1 / (2 a).
      const double x = 2 * t * std::sqrt(1.5);
      const double bend = x * std::cyl_bessel_i(0.0, x) / std::cyl_bessel_i(1.0, x) - 1;
      EXPECT_NEAR(law.law.density_gradient[2 * n], -t + (bend - 1) / 2, 1e-8 * (1 + t)) << "t " << t;
      EXPECT_NEAR(law.law.density_gradient[2 * n + 1], -t + (bend + 1) / 3, 1e-8 * (1 + t)) << "t " << t;
    }
  }
}

TEST(LawRoutes, MaxTermsIsRespected) {
  Law law(oracle::zoo_complex_ring(), densities(1e6, 1e6, 1), LawMethod::kAuto, 1e-9, 100'000);
  const LawOutcome outcome = law.values();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.message.find("100000"), std::string::npos) << outcome.message;
  EXPECT_NE(outcome.message.find("point 1"), std::string::npos) << outcome.message;
}

TEST(LawRoutes, OnePointOutOfReachLeavesTheOthers) {
  Law law(oracle::zoo_complex_ring(), {{1, true, false, false}, {1e12, true, false, false}});
  EXPECT_FALSE(law.values().ok);
  EXPECT_LE(law.law.error_bound[0], 1e-9);
  EXPECT_FALSE(law.law.error_bound[1] <= 1e-9);
}

TEST(LawRoutes, MethodsThatDoNotApply) {
  Law stepping(oracle::zoo_exponential(), densities(1, 1, 1), LawMethod::kStepping);
  EXPECT_FALSE(stepping.values().ok);
  Law contour(oracle::zoo_negative_binomial(), densities(5, 5, 1), LawMethod::kContour);
  const LawOutcome outcome = contour.values();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.message.find("stepping"), std::string::npos) << outcome.message;
}

TEST(LawRoutes, ZeroIsClosed) {
  Law law(oracle::zoo_zero_reward(), {{0, true, true, true}}, LawMethod::kContour);
  const LawOutcome outcome = law.values(true);
  EXPECT_TRUE(outcome.ok) << outcome.message;
  EXPECT_EQ(outcome.num_closed, 1);
  const oracle::DenseChain dense = oracle::dense_chain(law.chain);
  // Dense solves in long double: 1e-13 leaves room for the conditioning of a 3 x 3 system.
  EXPECT_NEAR(std::exp(law.law.log_cdf[0]), static_cast<double>(dense.atom), 1e-13);
  EXPECT_NEAR(std::exp(law.law.log_survival[0]), static_cast<double>(1 - dense.atom), 1e-13);
  EXPECT_NEAR(std::exp(law.law.log_density[0]), static_cast<double>(dense.alpha.dot(dense.exit)), 1e-13);
  // Gradients against central differences of the dense values, step 1e-6: error about 1e-10.
  for (std::size_t p = 0; p < 3; ++p) {
    auto shifted = [&](double factor) {
      std::vector<double> phi = law.chain.phi;
      phi[p] *= factor;
      const oracle::DenseChain at = oracle::dense_chain(law.chain.graph, phi, law.chain.reward);
      return std::pair{std::log(static_cast<double>(at.atom)), std::log(static_cast<double>(at.alpha.dot(at.exit)))};
    };
    const double h = 1e-6, width = 2 * h * law.chain.phi[p];
    EXPECT_NEAR(law.law.cdf_gradient[p], (shifted(1 + h).first - shifted(1 - h).first) / width, 1e-8);
    EXPECT_NEAR(law.law.density_gradient[p], (shifted(1 + h).second - shifted(1 - h).second) / width, 1e-8);
  }
}

TEST(LawRoutes, ErlangStartsAtZero) {
  Law law(oracle::zoo_erlang(50), {{0, true, true, true}});
  EXPECT_TRUE(law.values(true).ok);
  EXPECT_EQ(law.law.log_density[0], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(law.law.density_gradient[0], 0);
  EXPECT_EQ(law.law.log_cdf[0], -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(law.law.log_survival[0], 0, 1e-15);
}

TEST(LawRoutes, EntriesNotAskedForAreNaN) {
  Law law(oracle::zoo_exponential(), {{1, true, false, false}, {2, false, true, false}, {3, false, false, false}});
  EXPECT_TRUE(law.values().ok);
  EXPECT_FALSE(std::isnan(law.law.log_density[0]));
  EXPECT_TRUE(std::isnan(law.law.log_survival[0]));
  EXPECT_TRUE(std::isnan(law.law.log_density[1]));
  EXPECT_NEAR(law.law.log_survival[1], -1.5, 1e-10);
  EXPECT_TRUE(std::isnan(law.law.log_cdf[2]));
}

TEST(LawRoutes, NegativeWeightIsNoNumber) {
  Law law(oracle::zoo_exponential(), densities(1, 1, 1));
  law.chain.phi = {-1.0};
  const LawOutcome outcome = law.values();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.message.find("edge 0 -> 1"), std::string::npos) << outcome.message;
}

TEST(LawPlanPoints, BadPointsAreUsageErrors) {
  const oracle::ZooChain chain = oracle::zoo_exponential();
  const Prc prc = eliminate(chain.graph);
  for (const double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(LawPlan(chain.graph, prc, chain.reward, {{bad, true, false, false}}, {}), UsageError);
  }
  const oracle::ZooChain discrete = oracle::zoo_negative_binomial();
  EXPECT_THROW(LawPlan(discrete.graph, eliminate(discrete.graph), discrete.reward, {{1.5, true, false, false}}, {}),
               UsageError);
  EXPECT_THROW(LawPlan(chain.graph, prc, std::vector<double>{1.0}, {{1, true, false, false}}, {}), ShapeError);
}

/// Sum of weighted log density, log survival and log cdf with uneven weights.
LawObjective weighted(std::size_t num_points) {
  return [num_points](std::span<const double> density, std::span<const double> survival, std::span<const double> cdf,
                      std::span<double> by_density, std::span<double> by_survival, std::span<double> by_cdf) {
    double sum = 0;
    for (std::size_t n = 0; n < num_points; ++n) {
      const double a = 1 + 0.1 * static_cast<double>(n), b = 0.5, c = 2 - 0.05 * static_cast<double>(n);
      sum += a * density[n] + b * survival[n] + c * cdf[n];
      by_density[n] = a;
      by_survival[n] = b;
      by_cdf[n] = c;
    }
    return sum;
  };
}

TEST(LawObjectives, GradientIsTheSumOfTheValueGradients) {
  for (const auto& chain : {oracle::zoo_two_deme(4), oracle::zoo_two_deme(4, 1e6), oracle::zoo_defective(),
                            oracle::zoo_complex_ring(), oracle::zoo_zero_reward()}) {
    std::vector<LawPoint> points;
    for (int i = 0; i < 12; ++i) points.push_back({0.02 * std::pow(1.9, i), true, true, true});
    const std::string name = chain.name;
    Law law(chain, points);
    EXPECT_TRUE(law.values(true).ok) << name;
    const std::size_t num_rates = law.chain.phi.size();
    std::vector<double> gradient(num_rates), sum(num_rates, 0.0), size(num_rates, 0.0);
    double value = 0, total = 0, alone = 0;
    EXPECT_TRUE(law.plan->objective(law.chain.phi, weighted(12), value, gradient, *law.workspace).ok);
    EXPECT_TRUE(law.plan->objective(law.chain.phi, weighted(12), alone, {}, *law.workspace).ok);
    for (std::size_t n = 0; n < 12; ++n) {
      const double a = 1 + 0.1 * static_cast<double>(n), b = 0.5, c = 2 - 0.05 * static_cast<double>(n);
      total += a * law.law.log_density[n] + b * law.law.log_survival[n] + c * law.law.log_cdf[n];
      for (std::size_t p = 0; p < num_rates; ++p) {
        const std::size_t i = n * num_rates + p;
        for (const double part :
             {a * law.law.density_gradient[i], b * law.law.survival_gradient[i], c * law.law.cdf_gradient[i]}) {
          sum[p] += part;
          size[p] += std::abs(part);
        }
      }
    }
    EXPECT_NEAR(value, total, 1e-12 * (1 + std::abs(total))) << name;
    // The gradient must not change the route; the value may differ by the kernels' rounding alone.
    EXPECT_NEAR(value, alone, 1e-10 * (1 + std::abs(value))) << name;
    // The same numbers in another order of summation; the contour's node terms cancel by up to 1e4.
    for (std::size_t p = 0; p < num_rates; ++p) EXPECT_NEAR(gradient[p], sum[p], 1e-10 * size[p]) << name;
  }
}

TEST(LawObjectives, ParticlesAreIndependent) {
  const oracle::ZooChain chain = oracle::zoo_two_deme(4);
  Law law(chain, densities(0.05, 30, 25));
  const LawObjective objective = [](std::span<const double> density, std::span<const double>, std::span<const double>,
                                    std::span<double> by, std::span<double>, std::span<double>) {
    double sum = 0;
    for (std::size_t n = 0; n < density.size(); ++n) {
      sum += density[n];
      by[n] = 1;
    }
    return sum;
  };
  const auto evaluate = [&](double factor, LawPlan::Workspace& workspace) {
    std::vector<double> phi = chain.phi, result(chain.phi.size());
    for (double& rate : phi) rate *= factor;
    double value = 0;
    EXPECT_TRUE(law.plan->objective(phi, objective, value, result, workspace).ok);
    result.push_back(value);
    return result;
  };
  const std::vector<double> alone = evaluate(1, *law.workspace);
  const auto other = law.plan->make_workspace();
  for (const double factor : {0.01, 30.0, 0.5}) {
    evaluate(factor, *other);
    EXPECT_EQ(evaluate(1, *other), alone) << "after a particle scaled by " << factor;
  }
}

/// Three stages of one rate; log densities of -30 million, whose logarithms alone round by more than the tolerance.
TEST(LawObjectives, LogarithmsNeedNoMoreThanTheirOwnRoundings) {
  const oracle::ZooChain chain = oracle::zoo_erlang(3);
  const double t = 2e7;
  Law law(chain, densities(t, t, 1));
  const LawObjective sum = [](std::span<const double> density, std::span<const double>, std::span<const double>,
                              std::span<double> by, std::span<double>, std::span<double>) {
    by[0] = 1;
    return density[0];
  };
  double value = 0, gradient = 0;
  const LawOutcome outcome = law.plan->objective(chain.phi, sum, value, {&gradient, 1}, *law.workspace);
  ASSERT_TRUE(outcome.ok) << outcome.message;
  EXPECT_EQ(outcome.num_saddlepoint, 1);
  const double weight = chain.graph.weight(0, chain.phi);
  const double truth = 3 * std::log(weight) + 2 * std::log(t) - weight * t - std::log(2.0);
  EXPECT_NEAR(value, truth, outcome.error_bound + 1e-15 * std::abs(truth));
  EXPECT_LE(outcome.error_bound, 8 * 2.3e-16 * std::abs(truth));
  EXPECT_NEAR(gradient, (3 / weight - t) * weight / chain.phi[0], 1e-9 * t);

  // The density itself is not known to a billionth, and steps would not help.
  const LawOutcome density = law.values();
  EXPECT_FALSE(density.ok);
  EXPECT_EQ(law.methods[0], LawMethod::kSaddlepoint);
  EXPECT_NE(density.message.find("larger rtol"), std::string::npos) << density.message;
}

/// Beyond all digits of the survival function the cdf is 1.
TEST(LawRoutes, CdfFarBeyondTheMean) {
  for (const double t : {1e60, 1e100, 1e300}) {
    Law law(oracle::zoo_erlang(3), {{t, false, false, true}});
    const LawOutcome outcome = law.values(true);
    EXPECT_TRUE(outcome.ok) << outcome.message;
    EXPECT_EQ(law.law.log_cdf[0], 0) << t;
    EXPECT_LE(outcome.error_bound, 2.3e-16);
    EXPECT_EQ(law.law.cdf_gradient[0], 0) << t;
  }
}

TEST(LawObjectives, FailureGivesNaN) {
  Law law(oracle::zoo_complex_ring(), densities(1e12, 1e12, 1));
  std::vector<double> gradient(2);
  double value = 0;
  const LawObjective never = [](auto...) -> double { throw std::logic_error("called without values"); };
  EXPECT_FALSE(law.plan->objective(law.chain.phi, never, value, gradient, *law.workspace).ok);
  EXPECT_TRUE(std::isnan(value));
  EXPECT_TRUE(std::isnan(gradient[0]));
}

}  // namespace
}  // namespace sojourn
