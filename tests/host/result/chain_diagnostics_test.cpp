#include "sojourn/chain_diagnostics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

/// As tests/oracle/make_chain_diagnostics.py makes them.
Matrix<double> chains(std::size_t num_chains, std::size_t num_draws, double correlation, double shift, bool rounded) {
  Matrix<double> draws(num_chains, num_draws);
  std::uint64_t state = 12345;
  for (std::size_t c = 0; c < num_chains; ++c) {
    double x = 0;
    for (std::size_t i = 0; i < num_draws; ++i) {
      state = (state * 1103515245 + 12345) % (std::uint64_t{1} << 31);
      x = correlation * x + (static_cast<double>(state) / 2147483648.0 - 0.5);
      draws(c, i) = x + static_cast<double>(c) * shift;
      if (rounded) draws(c, i) = std::nearbyint(draws(c, i) * 10) / 10;
    }
  }
  return draws;
}

struct Reference {
  std::size_t num_chains, num_draws;
  double correlation, shift;
  bool rounded;
  double r_hat, ess_bulk, ess_tail, ess_mean, mcse_mean;
};

/// Numbers of ArviZ 0.23.4. Sums are of a few thousand numbers of size one in another order: 1e-9.
TEST(ChainDiagnostics, AgreeWithArviz) {
  const Reference references[] = {
      {4, 500, 0.6, 0.0, false, 1.0045068741367904, 554.43428512044704, 993.49624961380448, 560.5662834857078,
       0.014526666254162679},
      {3, 401, -0.5, 0.0, false, 0.99821075932331504, 3695.0174952571497, 1173.3208374310668, 3695.0174952571497,
       0.0056126004254322508},
      {4, 250, 0.3, 0.2, false, 1.2769391413203761, 11.589246526317687, 50.307179697106456, 11.53792753218085,
       0.10915900005825231},
      {2, 1000, 0.95, 0.0, false, 1.0248666177054611, 72.379273143946421, 159.69597783931781, 72.367567179559273,
       0.09323207516703054},
      {4, 300, 0.5, 0.0, true, 0.99950552421644379, 408.15882185212104, 643.19987092399981, 415.76582727283233,
       0.015955786357948434},
      {1, 600, 0.8, 0.0, false, 1.0005264201707689, 77.222031756858257, 112.78508509991887, 78.037192598910451,
       0.053243156970834746},
  };
  for (const Reference& wanted : references) {
    SCOPED_TRACE(wanted.num_draws);
    const Matrix<double> draws =
        chains(wanted.num_chains, wanted.num_draws, wanted.correlation, wanted.shift, wanted.rounded);
    const ChainDiagnostics found = diagnose_chains(draws.view());
    EXPECT_NEAR(found.r_hat, wanted.r_hat, 1e-9);
    EXPECT_NEAR(found.ess_bulk / wanted.ess_bulk, 1, 1e-9);
    EXPECT_NEAR(found.ess_tail / wanted.ess_tail, 1, 1e-9);
    EXPECT_NEAR(found.ess_mean / wanted.ess_mean, 1, 1e-9);
    EXPECT_NEAR(found.mcse_mean / wanted.mcse_mean, 1, 1e-9);
  }
}

/// An autoregressive chain of correlation c has N (1 - c) / (1 + c) effective draws, and sd 1 / sqrt(1 - c^2).
TEST(ChainDiagnostics, EffectiveDrawsOfAutoregressiveChains) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  constexpr std::size_t kChains = 4, kDraws = 50'000;
  for (const double correlation : {0.0, 0.5, 0.9}) {
    Matrix<double> draws(kChains, kDraws);
    for (std::size_t c = 0; c < kChains; ++c) {
      double x = normal(random) / std::sqrt(1 - correlation * correlation);
      for (std::size_t i = 0; i < kDraws; ++i) draws(c, i) = x = correlation * x + normal(random);
    }
    const ChainDiagnostics found = diagnose_chains(draws.view());
    const double effective = kChains * kDraws * (1 - correlation) / (1 + correlation);
    // Its estimate has a relative sd of some sqrt(4 M / N) for M summed lags of N draws: 3 % at 0.9.
    EXPECT_NEAR(found.ess_mean / effective, 1, 0.1);
    EXPECT_NEAR(found.ess_bulk / effective, 1, 0.1);
    EXPECT_NEAR(found.mcse_mean * std::sqrt(effective * (1 - correlation * correlation)), 1, 0.05);
    // 1 + O(1 / N) where chains agree.
    EXPECT_NEAR(found.r_hat, 1, 2e-3);
  }
}

/// Chains of one mean and of two widths are told by the folded draws alone: their R-hat is far from 1.
TEST(ChainDiagnostics, ChainsOfOtherWidthsAreTold) {
  Matrix<double> draws = chains(4, 500, 0, 0, false);
  for (std::size_t c = 2; c < 4; ++c)
    for (double& x : draws.row(c)) x *= 10;
  EXPECT_GT(diagnose_chains(draws.view()).r_hat, 1.5);
}

TEST(ChainDiagnostics, ConstantDrawsAndThoseThatAreNone) {
  Matrix<double> draws(2, 10, 3.0);
  const ChainDiagnostics constant = diagnose_chains(draws.view());
  EXPECT_TRUE(std::isnan(constant.r_hat));
  EXPECT_EQ(constant.ess_bulk, 20);
  EXPECT_EQ(constant.ess_tail, 20);
  EXPECT_EQ(constant.mcse_mean, 0);
  draws(1, 4) = std::numeric_limits<double>::infinity();
  EXPECT_THROW(diagnose_chains(draws.view()), UsageError);
  EXPECT_THROW(diagnose_chains(Matrix<double>(2, 3).view()), UsageError);
  EXPECT_THROW(diagnose_chains(Matrix<double>(0, 9).view()), UsageError);
}

}  // namespace
}  // namespace sojourn
