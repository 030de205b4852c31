#include <gtest/gtest.h>

#include <cmath>

#include "oracle/dense.hpp"
#include "sojourn/error.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {
namespace {

Model model_of(oracle::ZooChain chain) {
  Model model;
  model.name = chain.name;
  for (std::size_t p = 0; p < chain.phi.size(); ++p) model.parameters.push_back({"p" + std::to_string(p)});
  model.rates = RateMap::identity(static_cast<std::int32_t>(chain.phi.size()));
  model.graph = std::move(chain.graph);
  return model;
}

Quantity quantile(const oracle::ZooChain& chain, std::vector<double> probabilities, bool gradient = false) {
  const Evaluator evaluator(model_of(chain));
  return evaluator.quantile({chain.phi.data(), 1, chain.phi.size()}, chain.reward, probabilities, gradient);
}

TEST(Quantile, ExponentialInClosedForm) {
  const std::vector<double> probabilities{1e-12, 0.025, 0.5, 0.500001, 0.975, 1 - 1e-12};
  const Quantity q = quantile(oracle::zoo_exponential(), probabilities, true);
  EXPECT_EQ(q.status[0], "ok");
  for (std::size_t n = 0; n < probabilities.size(); ++n) {
    const double truth = -std::log1p(-probabilities[n]) / 0.75;
    // Newton stops at 1e-11 relative; the law itself is certified to 1e-9.
    EXPECT_NEAR(q.values(0, n), truth, 1e-9 * truth);
    EXPECT_NEAR(q.gradient[n], -truth / 0.75, 1e-8 * truth);
  }
}

/// F(t) = (r t)^3 / 6 to a part of t where t is small.
TEST(Quantile, FarBelowTheMean) {
  const oracle::ZooChain chain = oracle::zoo_erlang(3);
  const double rate = chain.graph.weight(0, chain.phi);
  const std::vector<double> probabilities{1e-60, 1e-150, 1e-300};
  const Quantity q = quantile(chain, probabilities, false);
  EXPECT_EQ(q.status[0], "ok");
  for (std::size_t n = 0; n < probabilities.size(); ++n) {
    const double truth = std::cbrt(6 * probabilities[n]) / rate;
    EXPECT_NEAR(q.values(0, n), truth, 1e-9 * truth);
  }
}

TEST(Quantile, InvertsTheDenseCdf) {
  for (const auto& chain : {oracle::zoo_two_deme(3), oracle::zoo_complex_ring(), oracle::zoo_erlang(50),
                            oracle::zoo_queue(20, 20), oracle::zoo_zero_reward()}) {
    const std::vector<double> probabilities{0.3, 0.6, 0.9, 0.9999};
    const Quantity q = quantile(chain, probabilities);
    EXPECT_EQ(q.status[0], "ok") << chain.name;
    const oracle::DenseChain dense = oracle::dense_chain(chain);
    for (std::size_t n = 0; n < probabilities.size(); ++n) {
      const oracle::DenseLaw law = oracle::dense_law(dense, q.values(0, n));
      EXPECT_NEAR(static_cast<double>(law.survival), 1 - probabilities[n], 1e-8 * (1 - probabilities[n])) << chain.name;
    }
  }
}

TEST(Quantile, GradientAgainstDifferences) {
  for (const auto& chain : {oracle::zoo_two_deme(3), oracle::zoo_complex_ring(), oracle::zoo_defective()}) {
    const std::vector<double> probabilities{0.35, 0.8};
    const Quantity q = quantile(chain, probabilities, true);
    const std::size_t num_rates = chain.phi.size();
    for (std::size_t p = 0; p < num_rates; ++p) {
      const double h = 1e-4 * chain.phi[p];
      oracle::ZooChain up = chain, down = chain;
      up.phi[p] += h;
      down.phi[p] -= h;
      const Quantity above = quantile(up, probabilities), below = quantile(down, probabilities);
      for (std::size_t n = 0; n < probabilities.size(); ++n) {
        const double difference = (above.values(0, n) - below.values(0, n)) / (2 * h);
        // Central differences: h^2 / 6 times a third derivative of order one, and 1e-10 / h from the quantiles.
        EXPECT_NEAR(q.gradient[n * num_rates + p], difference, 2e-6 * (std::abs(difference) + q.values(0, n)))
            << chain.name;
      }
    }
  }
}

TEST(Quantile, InsideTheAtomIsZero) {
  const oracle::ZooChain chain = oracle::zoo_defective();  // atom 0.15
  const Quantity q = quantile(chain, {0.1, 0.2}, true);
  EXPECT_EQ(q.values(0, 0), 0);
  EXPECT_EQ(q.gradient[0], 0);
  EXPECT_GT(q.values(0, 1), 0);
  EXPECT_EQ(quantile(oracle::zoo_all_atom(), {0.5}).values(0, 0), 0);
}

TEST(Quantile, DiscreteIsTheSmallestCount) {
  const oracle::ZooChain chain = oracle::zoo_negative_binomial();
  const oracle::DenseChain dense = oracle::dense_chain(chain);
  const std::vector<double> probabilities{0.001, 0.02, 0.5, 0.9, 0.99999};
  const Quantity q = quantile(chain, probabilities, true);
  for (std::size_t n = 0; n < probabilities.size(); ++n) {
    const double count = q.values(0, n);
    EXPECT_EQ(count, std::floor(count));
    EXPECT_GE(static_cast<double>(oracle::dense_law(dense, count).cdf), probabilities[n] - 1e-12);
    EXPECT_LT(static_cast<double>(oracle::dense_law(dense, count - 1).cdf), probabilities[n]);
    EXPECT_EQ(q.gradient[n], 0);
  }
}

TEST(Quantile, ProbabilitiesOutsideAreUsageErrors) {
  for (const double bad : {0.0, 1.0, -0.1, 1.5, std::nan("")}) {
    EXPECT_THROW(quantile(oracle::zoo_exponential(), {bad}), UsageError);
  }
}

}  // namespace
}  // namespace sojourn
