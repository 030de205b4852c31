#include <gtest/gtest.h>

#include <cmath>

#include "evaluation/moment_replay.hpp"
#include "oracle/golden.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using oracle::Golden;
using oracle::ZooChain;

std::vector<ZooChain> chains_with_moments() {
  std::vector<ZooChain> chains;
  for (ZooChain& chain : oracle::zoo()) {
    const auto found = oracle::golden().find(chain.name);
    if (found != oracle::golden().end() && !found->second.moments.empty()) chains.push_back(std::move(chain));
  }
  return chains;
}

/// Rounding of a reference that is itself a double, plus one rounding per multiply-add along the longest path: the sums
/// have no cancellation, so errors add up relative to each term. Order k chains k solves.
double moment_tolerance(int order) { return 1e-13 * std::max(1.0, order / 2.0); }

TEST(MomentsGolden, ValuesOfEveryZooChain) {
  const auto chains = chains_with_moments();
  ASSERT_GE(chains.size(), 10U);
  for (const ZooChain& chain : chains) {
    const Golden& golden = oracle::golden().at(chain.name);
    const int order = static_cast<int>(golden.moments.size());
    const Prc prc = eliminate(chain.graph);
    std::vector<double> values(order), with_gradient(order), gradient(order * chain.phi.size());
    const MatrixView<const double> phi(chain.phi.data(), 1, chain.phi.size());
    replay_moments(chain.graph, prc, phi, chain.reward, order, values, {}, 1);
    replay_moments(chain.graph, prc, phi, chain.reward, order, with_gradient, gradient, 1);
    for (int k = 1; k <= order; ++k) {
      const double truth = golden.moments[k - 1];
      if (std::isinf(truth)) {
        EXPECT_TRUE(std::isinf(values[k - 1])) << chain.name << " order " << k;
        continue;
      }
      EXPECT_NEAR(values[k - 1], truth, moment_tolerance(k) * truth) << chain.name << " order " << k;
      EXPECT_NEAR(with_gradient[k - 1], truth, moment_tolerance(k) * truth) << chain.name << " order " << k;
    }
  }
}

TEST(MomentsGolden, GradientsOfEveryZooChain) {
  for (const ZooChain& chain : chains_with_moments()) {
    const Golden& golden = oracle::golden().at(chain.name);
    const int order = static_cast<int>(golden.moments_gradient.size());
    if (order == 0) continue;
    const std::size_t num_rates = chain.phi.size();
    const Prc prc = eliminate(chain.graph);
    std::vector<double> values(order), gradient(order * num_rates);
    replay_moments(chain.graph, prc, {chain.phi.data(), 1, num_rates}, chain.reward, order, values, gradient, 1);
    for (int k = 1; k <= order; ++k) {
      for (std::size_t r = 0; r < num_rates; ++r) {
        const double truth = golden.moments_gradient[k - 1][r];
        if (!std::isfinite(truth)) continue;
        // 1e-8 relative, and an absolute floor for derivatives that are zero by symmetry: a few roundings of one
        // order's positive and negative parts, k times over because an order k adds up k such pairs.
        const double floor = 4e-16 * k * golden.moments[k - 1] / chain.phi[r];
        EXPECT_NEAR(gradient[(k - 1) * num_rates + r], truth, 1e-8 * std::abs(truth) + floor)
            << chain.name << " order " << k << " rate " << r;
      }
    }
  }
}

TEST(MomentsGolden, LaplaceTransforms) {
  int checked = 0;
  for (const ZooChain& chain : oracle::zoo()) {
    const auto found = oracle::golden().find(chain.name);
    if (found == oracle::golden().end() || found->second.laplace_s.empty()) continue;
    const Golden& golden = found->second;
    const std::size_t num_points = golden.laplace_s.size(), num_rates = chain.phi.size();
    const Prc prc = eliminate(chain.graph);
    std::vector<double> values(num_points), gradient(num_points * num_rates);
    replay_laplace(chain.graph, prc, {chain.phi.data(), 1, num_rates}, chain.reward, golden.laplace_s, values, gradient,
                   1);
    for (std::size_t j = 0; j < num_points; ++j) {
      EXPECT_NEAR(values[j], golden.laplace[j], 1e-13 * golden.laplace[j])
          << chain.name << " s " << golden.laplace_s[j];
      for (std::size_t r = 0; r < num_rates; ++r) {
        const double truth = golden.laplace_gradient[j][r];
        const double floor = 1e-15 * golden.laplace[j] / chain.phi[r];
        EXPECT_NEAR(gradient[j * num_rates + r], truth, 1e-8 * std::abs(truth) + floor)
            << chain.name << " s " << golden.laplace_s[j] << " rate " << r;
      }
    }
    ++checked;
  }
  EXPECT_GE(checked, 5);
}

}  // namespace
}  // namespace sojourn
