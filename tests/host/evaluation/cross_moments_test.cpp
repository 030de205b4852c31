#include <gtest/gtest.h>

#include <random>

#include "oracle/zoo.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {
namespace {

Evaluator evaluator_of(const oracle::ZooChain& chain) {
  Model model;
  for (std::size_t k = 0; k < chain.phi.size(); ++k) model.parameters.push_back({.name = "p" + std::to_string(k)});
  model.rates = RateMap::identity(static_cast<std::int32_t>(chain.phi.size()));
  model.graph = chain.graph;
  return Evaluator(std::move(model), {.num_threads = 1});
}

/// 2 E[Y_a Y_b] = E[(Y_a + Y_b)^2] - E[Y_a^2] - E[Y_b^2], the right-hand side by moments, which solve twice instead of
/// summing over visits; and the same numbers whether gradients are asked for or not.
TEST(CrossMoments, AreThoseOfSumsOfRewards) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> any(0.1, 2.0);
  int num_chains = 0;
  for (const oracle::ZooChain& chain : oracle::zoo(500)) {
    const Evaluator evaluator = evaluator_of(chain);
    const std::size_t num_states = chain.graph.num_states();
    std::vector<double> a(num_states), b(num_states), sum(num_states);
    for (std::size_t s = 0; s < num_states; ++s) {
      if (chain.graph.is_absorbing(static_cast<std::int32_t>(s))) continue;
      a[s] = any(random);
      b[s] = s % 3 == 0 ? 0 : any(random);
      sum[s] = a[s] + b[s];
    }
    Matrix<double> theta(1, chain.phi.size());
    for (std::size_t k = 0; k < chain.phi.size(); ++k) theta(0, k) = chain.phi[k];
    const auto second = [&](const std::vector<double>& reward) {
      return evaluator.moments(theta.view(), reward, 2, false).values(0, 1);
    };
    const double both = second(sum), of_a = second(a), of_b = second(b);
    const Quantity cross = evaluator.cross_moments(theta.view(), {a, b}, false);
    // Each sum keeps all but a few digits; the difference loses what it is smaller than its terms.
    EXPECT_NEAR(cross.values(0, 0), of_a, 1e-12 * of_a) << chain.name;
    EXPECT_NEAR(cross.values(0, 3), of_b, 1e-12 * of_b) << chain.name;
    EXPECT_NEAR(cross.values(0, 1), (both - of_a - of_b) / 2, 1e-12 * both) << chain.name;
    EXPECT_EQ(cross.values(0, 1), cross.values(0, 2));
    const Quantity solved = evaluator.cross_moments(theta.view(), {a, b}, true);
    for (int i = 0; i < 4; ++i)
      EXPECT_NEAR(cross.values(0, i), solved.values(0, i), 1e-12 * std::abs(solved.values(0, i))) << chain.name;
    ++num_chains;
  }
  EXPECT_GT(num_chains, 15);
}

}  // namespace
}  // namespace sojourn
