#include <gtest/gtest.h>

#include <cmath>

#include "evaluation/moment_replay.hpp"
#include "oracle/dense.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using oracle::ZooChain;

struct Moments {
  std::vector<double> values, gradient;
};

Moments moments(const ZooChain& chain, int order, bool gradient = true) {
  const Prc prc = eliminate(chain.graph);
  Moments result;
  result.values.resize(order);
  if (gradient) result.gradient.resize(order * chain.phi.size());
  replay_moments(chain.graph, prc, {chain.phi.data(), 1, chain.phi.size()}, chain.reward, order, result.values,
                 result.gradient, 1);
  return result;
}

double relative_error(double value, double truth) { return std::abs(value - truth) / std::abs(truth); }

/// E[Y^k] of an Erlang law is the rising factorial over rate^k.
TEST(Moments, ErlangOrdersOneToThirty) {
  const Moments result = moments(oracle::zoo_erlang(50, 2.0), 30);
  long double truth = 1;
  for (int k = 1; k <= 30; ++k) {
    truth *= (50.0L + k - 1) / 2.0L;
    // A product of k solves of 50 rows: the rounding of each row adds up to about k * 50 * 1e-17.
    EXPECT_LT(relative_error(result.values[k - 1], static_cast<double>(truth)), 1e-13) << k;
    EXPECT_LT(relative_error(result.gradient[k - 1], static_cast<double>(-k * truth / 2.0L)), 1e-12) << k;
  }
}

TEST(Moments, ValueAloneEqualsValueWithGradient) {
  for (const ZooChain& chain : {oracle::zoo_two_deme(6), oracle::zoo_queue(20, 20), oracle::zoo_slow_ring()}) {
    const Moments full = moments(chain, 9);
    const Moments lean = moments(chain, 9, false);
    // Two forms of the same positive sums; each loses a few roundings a row.
    for (int k = 0; k < 9; ++k) EXPECT_LT(relative_error(full.values[k], lean.values[k]), 2e-14) << chain.name << k;
  }
}

/// The time to leave a ring with exits of about 1e-12 is the case that loses all digits to subtraction.
TEST(Moments, SlowRingKeepsRelativeAccuracy) {
  const ZooChain chain = oracle::zoo_slow_ring();
  const Moments result = moments(chain, 2);
  // By symmetry of the turning rate the stationary weights are uniform to 1e-12; solve exactly in long double by
  // unrolling one turn: x_0 = a + p x_0 with 1 - p summed from the exits, free of cancellation.
  const long double turn = chain.phi[0], exit = chain.phi[1];
  long double survive_log = 0, gathered = 0, alive = 1;
  for (int i = 0; i < 30; ++i) {
    const long double out = exit * (1 + i / 30.0L);
    gathered += alive / (turn + out);
    survive_log += std::log1p(-out / (turn + out));
    alive = std::exp(survive_log);
  }
  const long double mean = gathered / -std::expm1(survive_log);
  EXPECT_LT(relative_error(result.values[0], static_cast<double>(mean)), 1e-13);
}

TEST(Moments, KnownCoalescentMeans) {
  EXPECT_LT(relative_error(moments(oracle::zoo_coalescent(4, 7.0), 1).values[0], 0.21428571428571429), 1e-15);
  EXPECT_LT(relative_error(moments(oracle::zoo_coalescent(30, 7.0), 1).values[0], 0.27619047619047619), 1e-15);
}

}  // namespace
}  // namespace sojourn
