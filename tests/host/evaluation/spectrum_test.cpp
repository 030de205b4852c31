#include "evaluation/spectrum.hpp"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "oracle/dense.hpp"

namespace sojourn {
namespace {

double bound(const oracle::ZooChain& chain) {
  const Spectrum spectrum(chain.graph, chain.reward);
  std::vector<double> scratch(spectrum.scratch_size());
  return spectrum.imaginary_bound(chain.phi, scratch);
}

/// Three states on a triangle, both ways; with phi the clockwise rate it is reversible at phi = 2 alone.
oracle::ZooChain triangle(double clockwise) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(4);
  for (std::int32_t i = 0; i < 3; ++i) {
    oracle::edge(builder, i, (i + 1) % 3, 0, {{0, 1}});
    oracle::edge(builder, (i + 1) % 3, i, 2);
  }
  oracle::edge(builder, 2, 3, 0.5);
  builder.add_initial(0, 1);
  return oracle::finish("triangle", std::move(builder), {clockwise});
}

/// Two independent switches (four states on a square), absorbed from the last: reversible for every phi.
oracle::ZooChain square(double up, double down) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(5);
  for (const auto& [from, to] : {std::pair{0, 1}, {0, 2}, {1, 3}, {2, 3}}) {
    oracle::edge(builder, from, to, 0, {{0, 1}});
    oracle::edge(builder, to, from, 0, {{1, 1}});
  }
  oracle::edge(builder, 3, 4, 0.3);
  builder.add_initial(0, 1);
  return oracle::finish("square", std::move(builder), {up, down});
}

TEST(Spectrum, AcyclicAndTreeComponentsAreAlwaysReal) {
  for (const auto& chain : {oracle::zoo_coalescent(10), oracle::zoo_erlang(50), oracle::zoo_hyperexponential(),
                            oracle::zoo_queue(200, 1), oracle::zoo_two_deme(8), oracle::zoo_two_deme(4, 1e6)}) {
    const Spectrum spectrum(chain.graph, chain.reward);
    EXPECT_TRUE(spectrum.always_real()) << chain.name;
    EXPECT_EQ(bound(chain), 0) << chain.name;
  }
}

TEST(Spectrum, OneWayRingsAreNotProved) {
  EXPECT_EQ(bound(oracle::zoo_complex_ring()), std::numeric_limits<double>::infinity());
  EXPECT_EQ(bound(oracle::zoo_dense_random(6)), std::numeric_limits<double>::infinity());
}

TEST(Spectrum, KolmogorovDecidesAtTheParticle) {
  EXPECT_EQ(bound(triangle(1)), std::numeric_limits<double>::infinity());
  EXPECT_LT(bound(triangle(2)), 1e-12);
  for (const double up : {1e-6, 0.37, 1.0, 123.456}) EXPECT_LT(bound(square(up, 0.73)), 1e-10 * std::max(1.0, up));
}

TEST(Spectrum, VanishingWeightProvesNothing) {
  EXPECT_EQ(bound(square(0, 1)), std::numeric_limits<double>::infinity());
}

TEST(Spectrum, BoundHoldsForANearlyReversibleTriangle) {
  // A miss of 1e-10 relative per edge: the bound must lie above the true imaginary part and stay tiny.
  const oracle::ZooChain chain = triangle(2 * (1 + 1e-10));
  const double limit = bound(chain);
  EXPECT_LT(limit, 1e-7);
  const oracle::DenseChain dense = oracle::dense_chain(chain);
  const Eigen::EigenSolver<Eigen::MatrixXd> solver(dense.matrix.cast<double>());
  // Eigenvalues of a double matrix are known to about 1e-15.
  EXPECT_LE(solver.eigenvalues().imag().cwiseAbs().maxCoeff(), limit + 1e-14);
}

TEST(Spectrum, RewardsAndZeroRewardStatesAreCovered) {
  oracle::ZooChain chain = square(0.8, 1.7);
  chain.reward = {1, 0, 2.5, 0.1, 0};
  EXPECT_LT(bound(chain), 1e-10);
  const oracle::DenseChain dense = oracle::dense_chain(chain);
  const Eigen::EigenSolver<Eigen::MatrixXd> solver(dense.matrix.cast<double>());
  EXPECT_LT(solver.eigenvalues().imag().cwiseAbs().maxCoeff(), 1e-13);
}

}  // namespace
}  // namespace sojourn
