#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "evaluation/stepping.hpp"
#include "oracle/dense.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using oracle::DenseMatrix;
using oracle::ZooChain;

/// Row vector of state probabilities over the whole graph, absorbing states included, in long double.
std::vector<long double> dense_probability(const StateGraph& graph, std::span<const double> phi, double t) {
  const Eigen::Index size = graph.num_states();
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  DenseMatrix generator = DenseMatrix::Zero(size, size);
  for (std::int32_t i = 0; i < size; ++i) {
    for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) {
      long double weight = graph.base(e);
      for (const RateTerm& term : graph.terms(e)) weight += static_cast<long double>(term.coefficient) * phi[term.rate];
      generator(i, graph.edge_to(e)) += weight;
      generator(i, i) -= weight;
    }
  }
  DenseMatrix power = DenseMatrix::Identity(size, size);
  if (discrete) {
    const DenseMatrix step = power + generator;
    for (int n = 0; n < static_cast<int>(t); ++n) power = (power * step).eval();
  } else {
    power = oracle::dense_exp(generator * static_cast<long double>(t));
  }
  std::vector<long double> result(size, 0);
  for (const InitialMass& mass : graph.initial()) {
    for (Eigen::Index j = 0; j < size; ++j) result[j] += mass.probability * power(mass.state, j);
  }
  return result;
}

void expect_matches_dense(const ZooChain& zoo, double t) {
  SCOPED_TRACE(zoo.name + " at " + std::to_string(t));
  const auto num_states = static_cast<std::size_t>(zoo.graph.num_states());
  const std::size_t num_rates = zoo.phi.size();
  std::vector<double> probability(num_states), gradient(num_states * num_rates), alone(num_states);
  state_probability(zoo.graph, zoo.phi, t, 1e-9, 200'000'000, probability, gradient);
  state_probability(zoo.graph, zoo.phi, t, 1e-9, 200'000'000, alone, {});
  const std::vector<long double> expected = dense_probability(zoo.graph, zoo.phi, t);
  for (std::size_t i = 0; i < num_states; ++i) {
    // Rounding grows with the steps, of which there are below 1e4 here.
    EXPECT_NEAR(probability[i], static_cast<double>(expected[i]), 2e-12 * static_cast<double>(expected[i]));
    EXPECT_NEAR(alone[i], probability[i], 1e-13 * probability[i]);
  }
  for (std::size_t k = 0; k < num_rates; ++k) {
    const double h = zoo.phi[k] * 0x1p-20;
    std::vector<double> up(zoo.phi), down(zoo.phi);
    up[k] += h;
    down[k] -= h;
    const std::vector<long double> a = dense_probability(zoo.graph, up, t), b = dense_probability(zoo.graph, down, t);
    double sum = 0;
    for (std::size_t i = 0; i < num_states; ++i) {
      const auto slope = static_cast<double>((a[i] - b[i]) / (2.0L * h));
      // Differences: third derivative times h^2, with (rate t)^3 up to 1e4 and h = 1e-6.
      EXPECT_NEAR(gradient[i * num_rates + k] * zoo.phi[k], slope * zoo.phi[k], 1e-8);
      sum += gradient[i * num_rates + k];
    }
    EXPECT_NEAR(sum * zoo.phi[k], 0, 1e-12);  // probabilities sum to a constant
  }
}

TEST(StateProbability, MatchesDenseExponentialOnTheZoo) {
  for (const ZooChain& zoo : {oracle::zoo_coalescent(10), oracle::zoo_erlang(50), oracle::zoo_queue(20, 20),
                              oracle::zoo_two_deme(4), oracle::zoo_complex_ring(), oracle::zoo_hyperexponential(),
                              oracle::zoo_defective(), oracle::zoo_zero_reward()}) {
    for (const double t : {0.0, 1e-3, 0.4, 3.0}) expect_matches_dense(zoo, t);
  }
}

TEST(StateProbability, MatchesDensePowersInDiscreteTime) {
  for (const ZooChain& zoo :
       {oracle::zoo_negative_binomial(), oracle::zoo_geometric_mix(), oracle::zoo_discrete_zero_reward()}) {
    for (const double n : {0.0, 1.0, 2.0, 17.0, 60.0}) expect_matches_dense(zoo, n);
  }
}

TEST(StateProbability, SumsToOneLessTheDefect) {
  const ZooChain zoo = oracle::zoo_defective();
  std::vector<double> probability(4);
  state_probability(zoo.graph, zoo.phi, 2.5, 1e-9, 1'000'000, probability, {});
  EXPECT_NEAR(std::accumulate(probability.begin(), probability.end(), 0.0), 0.9, 1e-14);
}

TEST(StateProbability, SeveralAbsorbingStatesKeepTheirOwnMass) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  builder.add_edge(0, 1, 0, std::vector<RateTerm>{{0, 1}});
  builder.add_edge(0, 2, 0, std::vector<RateTerm>{{1, 1}});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  std::vector<double> probability(3), gradient(6);
  state_probability(graph, std::vector<double>{1, 3}, 0.5, 1e-9, 1'000'000, probability, gradient);
  const double gone = -std::expm1(-2.0);
  EXPECT_NEAR(probability[0], std::exp(-2.0), 1e-15);
  EXPECT_NEAR(probability[1], 0.25 * gone, 1e-15);
  EXPECT_NEAR(probability[2], 0.75 * gone, 1e-15);
  // p1 = a / (a + b) (1 - e^{-(a + b) t})
  EXPECT_NEAR(gradient[2], 3.0 / 16 * gone + 0.25 * 0.5 * std::exp(-2.0), 1e-14);
}

TEST(StateProbability, RejectsBadInput) {
  const ZooChain zoo = oracle::zoo_slow_ring();
  std::vector<double> probability(zoo.graph.num_states());
  EXPECT_THROW(state_probability(zoo.graph, zoo.phi, -1, 1e-9, 1000, probability, {}), UsageError);
  EXPECT_THROW(state_probability(zoo.graph, zoo.phi, 1e9, 1e-9, 1000, probability, {}), NumericalError);
  EXPECT_THROW(state_probability(zoo.graph, std::vector<double>{-1, 1}, 1, 1e-9, 10'000, probability, {}),
               NumericalError);
  EXPECT_THROW(state_probability(zoo.graph, zoo.phi, 1, 1e-9, 1000, {}, {}), ShapeError);
  const ZooChain discrete = oracle::zoo_negative_binomial();
  std::vector<double> four(4);
  EXPECT_THROW(state_probability(discrete.graph, discrete.phi, 1.5, 1e-9, 1000, four, {}), UsageError);
}

}  // namespace
}  // namespace sojourn
