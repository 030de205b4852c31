#include "cli/identifiability.hpp"

#include <gtest/gtest.h>

#include "sojourn/families.hpp"

namespace sojourn::cli {
namespace {

Model two_stage(const std::string& edges, const std::string& extra = "") {
  return parse_model("schema: sojourn/model/1\nname: m\nparameters: [a, b]\n" + extra + edges, "model.yaml");
}

TEST(Identifiability, AllParametersOfAHypoexponential) {
  const Evaluator evaluator(hypoexponential(3));
  const Identifiability result = identifiability(evaluator, all_rewards(evaluator.model()));
  ASSERT_TRUE(result.assessed);
  EXPECT_EQ(result.rank, 3);
  EXPECT_TRUE(result.silent_directions.empty());
}

TEST(Identifiability, ManyRatesAreHardButNotSilent) {
  const Evaluator evaluator(hypoexponential(8));
  const Identifiability result = identifiability(evaluator, all_rewards(evaluator.model()));
  ASSERT_TRUE(result.assessed);
  EXPECT_EQ(result.rank, 8);
  EXPECT_LT(result.singular_values.back(), 1e-8);
}

TEST(Identifiability, OnlyAProductIsSeen) {
  const Evaluator evaluator(
      two_stage("states: 2\ninitial: [[0, 1]]\nedges: [[0, 1, 0, [1]]]\n", "derived: {r: a * b}\n"));
  const Identifiability result = identifiability(evaluator, all_rewards(evaluator.model()));
  ASSERT_TRUE(result.assessed);
  EXPECT_EQ(result.rank, 1);
  ASSERT_EQ(result.silent_directions.size(), 1U);
  // a * b stays when log a rises as log b falls.
  EXPECT_NEAR(result.silent_directions[0][0], -result.silent_directions[0][1], 1e-9);
}

TEST(Identifiability, UnusedParameter) {
  const Evaluator evaluator(two_stage("states: 2\ninitial: [[0, 1]]\nedges: [[0, 1, 0, [1, 0]]]\n"));
  const Identifiability result = identifiability(evaluator, all_rewards(evaluator.model()));
  ASSERT_TRUE(result.assessed);
  EXPECT_EQ(result.rank, 1);
  EXPECT_EQ(describe_direction(evaluator.model(), result, result.silent_directions[0]), "log(b)");
}

TEST(Identifiability, AGeneralLawOfOrderTwoHasThreeDegreesOfFreedom) {
  // Six rates, but a law of order m has at most 2m - 1 free moments (Telek and Horvath 2007).
  const double initial[] = {0.6, 0.4};
  const Evaluator evaluator(phase_type(2, initial));
  const Identifiability result = identifiability(evaluator, all_rewards(evaluator.model()));
  ASSERT_TRUE(result.assessed);
  EXPECT_EQ(result.rank, std::min(3, evaluator.model().num_parameters()));
}

TEST(Identifiability, DiscreteModelsAreTriedAtSmallerValues) {
  const Evaluator evaluator(
      parse_model("schema: sojourn/model/1\nname: g\ntime: discrete\nparameters: [p]\nstates: 2\ninitial: [[0, 1]]\n"
                  "edges: [[0, 1, 0, [0.5]]]\n",
                  "model.yaml"));
  const Identifiability result = identifiability(evaluator, all_rewards(evaluator.model()));
  ASSERT_TRUE(result.assessed);
  EXPECT_EQ(result.rank, 1);
}

}  // namespace
}  // namespace sojourn::cli
