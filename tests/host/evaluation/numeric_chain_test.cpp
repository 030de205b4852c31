#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "evaluation/stepping.hpp"
#include "oracle/dense.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using oracle::DenseChain;
using oracle::ZooChain;

long double dense_entry(const NumericChain& chain, std::int32_t i, std::int32_t j) {
  for (std::int64_t e = chain.row_begin[i]; e < chain.row_begin[i + 1]; ++e) {
    if (chain.column[e] == j) return chain.weight[e];
  }
  return 0;
}

/// Off-diagonal weights, exits, start and atom against the dense Schur complement in long double.
void expect_matches_dense(const ZooChain& zoo) {
  SCOPED_TRACE(zoo.name);
  const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, false);
  const DenseChain dense = oracle::dense_chain(zoo);
  if (chain.num_states != dense.matrix.rows()) return;  // states out of reach were dropped; tested on their own
  for (std::int32_t i = 0; i < chain.num_states; ++i) {
    for (std::int32_t j = 0; j < chain.num_states; ++j) {
      const auto expected = static_cast<double>(dense.matrix(i, j));
      if (i != j) {
        EXPECT_NEAR(static_cast<double>(dense_entry(chain, i, j)), expected, 4e-15 * std::fabs(expected));
      }
      if (i == j && chain.time_kind == TimeKind::kDiscrete) {
        EXPECT_NEAR(chain.stay[i], expected, 4e-16);
      }
    }
    const auto exit = static_cast<double>(dense.exit(i));
    EXPECT_NEAR(chain.exit[i], exit, 4e-15 * exit);
    EXPECT_NEAR(chain.alpha[i], static_cast<double>(dense.alpha(i)), 4e-16);
    EXPECT_TRUE(
        std::is_sorted(chain.column.begin() + chain.row_begin[i], chain.column.begin() + chain.row_begin[i + 1]));
  }
  EXPECT_NEAR(chain.atom, static_cast<double>(dense.atom), 4e-16);
}

TEST(NumericChain, MatchesDenseEliminationOnTheZoo) {
  for (const ZooChain& zoo : oracle::zoo(60)) expect_matches_dense(zoo);
}

TEST(NumericChain, GradientsMatchDifferencesOfTheDenseElimination) {
  for (const ZooChain& zoo : {oracle::zoo_zero_reward(), oracle::zoo_discrete_zero_reward(), oracle::zoo_defective()}) {
    SCOPED_TRACE(zoo.name);
    const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, true);
    const std::int32_t num_rates = chain.num_rates;
    for (std::int32_t k = 0; k < num_rates; ++k) {
      // Long double differences: truncation h^2 = 1e-12 and rounding 1e-19 / 1e-6 are below the tolerance.
      const double h = 0x1p-20;
      std::vector<double> up(zoo.phi), down(zoo.phi);
      up[k] += h;
      down[k] -= h;
      const DenseChain a = oracle::dense_chain(zoo.graph, up, zoo.reward);
      const DenseChain b = oracle::dense_chain(zoo.graph, down, zoo.reward);
      const auto slope = [h](long double x, long double y) { return static_cast<double>((x - y) / (2.0L * h)); };
      for (std::int32_t i = 0; i < chain.num_states; ++i) {
        EXPECT_NEAR(chain.exit_gradient[i * num_rates + k], slope(a.exit(i), b.exit(i)), 1e-10);
        EXPECT_NEAR(chain.alpha_gradient[i * num_rates + k], slope(a.alpha(i), b.alpha(i)), 1e-10);
        for (std::int64_t e = chain.row_begin[i]; e < chain.row_begin[i + 1]; ++e) {
          const std::int32_t j = chain.column[e];
          EXPECT_NEAR(chain.weight_gradient[e * num_rates + k], slope(a.matrix(i, j), b.matrix(i, j)), 1e-10);
        }
        if (chain.time_kind == TimeKind::kDiscrete) {
          EXPECT_NEAR(chain.stay_gradient[i * num_rates + k], slope(a.matrix(i, i), b.matrix(i, i)), 1e-10);
        }
      }
      EXPECT_NEAR(chain.atom_gradient[k], slope(a.atom, b.atom), 1e-10);
    }
  }
}

TEST(NumericChain, ZeroStatesAfterEliminationLeaveTheAtom) {
  const ZooChain zoo = oracle::zoo_all_atom();
  const NumericChain chain = numeric_chain(zoo.graph, zoo.phi, zoo.reward, true);
  EXPECT_EQ(chain.num_states, 0);
  EXPECT_EQ(chain.row_begin, std::vector<std::int64_t>{0});
  EXPECT_NEAR(chain.atom, 1, 1e-16);
  // The mass leaves through rates whose ratio is 1 at any value.
  EXPECT_EQ(chain.atom_gradient, (std::vector<double>{0, 0}));
}

TEST(NumericChain, LongCycleOfZeroRewardStatesKeepsRelativeAccuracy) {
  // State 0 leads into a one-way ring of 30 unpaid states whose exit weights are 1e-12 of the turning rate and lead to
  // state 31; by symmetry all of the inflow arrives there, so the weight 0 -> 31 is the inflow itself.
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(33);
  builder.add_edge(0, 1, 0, std::vector<RateTerm>{{0, 0.7}});
  for (std::int32_t i = 1; i <= 30; ++i) {
    builder.add_edge(i, i % 30 + 1, 1.0, {});
    builder.add_edge(i, 31, 1e-12, {});
  }
  builder.add_edge(31, 32, 2.0, {});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  std::vector<double> reward(33, 0);
  reward[0] = reward[31] = 1;
  const NumericChain chain = numeric_chain(graph, std::vector<double>{1.0}, reward, true);
  ASSERT_EQ(chain.num_states, 2);
  EXPECT_NEAR(dense_entry(chain, 0, 1), 0.7, 1e-14);  // GTH; LU loses four digits here
  EXPECT_NEAR(chain.weight_gradient[0], 0.7, 1e-14);
}

TEST(NumericChain, RejectsWhatHasNoMeaning) {
  const ZooChain zoo = oracle::zoo_exponential();
  try {
    numeric_chain(zoo.graph, std::vector<double>{-0.5}, zoo.reward, false);
    FAIL() << "a negative weight passed";
  } catch (const NumericalError& error) {
    EXPECT_NE(std::string(error.what()).find("edge 0 -> 1: weight -0.5"), std::string::npos) << error.what();
  }
  EXPECT_THROW(numeric_chain(zoo.graph, std::vector<double>{1, 2}, zoo.reward, false), ShapeError);
  EXPECT_THROW(numeric_chain(zoo.graph, zoo.phi, std::vector<double>{1}, false), ShapeError);
  const ZooChain discrete = oracle::zoo_negative_binomial();
  EXPECT_THROW(numeric_chain(discrete.graph, discrete.phi, std::vector<double>{1, 2, 1, 0}, false), ModelError);
  EXPECT_THROW(numeric_chain(discrete.graph, std::vector<double>{1.5}, discrete.reward, false), NumericalError);
  const ZooChain unpaid = oracle::zoo_all_atom();
  EXPECT_THROW(numeric_chain(unpaid.graph, std::vector<double>{0, 1}, unpaid.reward, false), NumericalError);
}

}  // namespace
}  // namespace sojourn
