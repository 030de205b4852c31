#include <gtest/gtest.h>

#include <random>

#include "elimination/components.hpp"
#include "elimination/prc_arrays.hpp"
#include "elimination_cases.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

/// States 0..n-1 in a line to absorption, with a two-way link inside every pair (2k, 2k + 1).
StateGraph pairs_in_a_row(std::int32_t num_pairs) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(2 * num_pairs + 1);
  const RateTerm unit{0, 1.0};
  for (std::int32_t k = 0; k < num_pairs; ++k) {
    builder.add_edge(2 * k, 2 * k + 1, 0, {&unit, 1});
    builder.add_edge(2 * k + 1, 2 * k, 0, {&unit, 1});
    builder.add_edge(2 * k + 1, 2 * k + 2, 0.5, {});
  }
  builder.add_initial(0, 1);
  return std::move(builder).build();
}

TEST(Components, ReverseTopologicalOrderWithoutRecursion) {
  const StateGraph graph = pairs_in_a_row(100'000);
  const Components components = strongly_connected_components(graph);
  EXPECT_EQ(components.num_components, 100'000);
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      const std::int32_t to = graph.edge_to(e);
      if (components.component_of[to] >= 0) {
        ASSERT_LE(components.component_of[to], components.component_of[s]);
      }
    }
  }
}

TEST(Components, UnreachableAndAbsorbingStatesHaveNone) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(4);
  builder.add_edge(0, 1, 1, {});
  builder.add_edge(2, 1, 1, {});
  builder.add_edge(3, 2, 1, {});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  const Components components = strongly_connected_components(graph);
  EXPECT_EQ(components.component_of, (std::vector<std::int32_t>{0, -1, -1, -1}));
}

/// The figures of the design: acyclic graphs get no fill at all, and slots are re-used.
TEST(Eliminate, CostsOfKnownModels) {
  const PrcCost blocks = eliminate(coalescent_blocks(20).graph).cost();
  EXPECT_EQ(blocks.num_transient, 626);  // partitions of 20, less the absorbing one
  EXPECT_EQ(blocks.factor_multiply_adds, 0);
  EXPECT_TRUE(blocks.acyclic);
  EXPECT_LT(blocks.num_slots, blocks.num_transient / 2);

  const std::vector<std::int32_t> samples{5, 5};
  const PrcCost demes = eliminate(structured_coalescent_blocks(samples).graph).cost();
  EXPECT_EQ(demes.num_transient, 479);
  EXPECT_FALSE(demes.acyclic);
  EXPECT_LT(demes.factor_multiply_adds, 5200);
}

TEST(Eliminate, QueueFillsNothing) {
  const Prc prc = eliminate(oracle::zoo_queue(10'000, 1).graph);
  EXPECT_EQ(prc.cost().num_components, 1);
  // A path eliminated from its ends has one lower entry a row and no fill.
  EXPECT_LE(prc.cost().factor_multiply_adds, 10'000);
}

/// Once and for all parameters: multiply-adds of a full component of n states are of order n^3, exactly those of dense
/// elimination, and the program's length is what a replay costs.
TEST(Eliminate, CostOfAFullComponentIsThatOfDenseElimination) {
  for (const std::int32_t size : {2, 5, 20, 40}) {
    std::vector<double> initial(size, 0.0);
    initial[0] = 1;
    const Prc prc = eliminate(phase_type(size, initial).graph);
    const PrcCost cost = prc.cost();
    std::int64_t num_pairs = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      for (std::int64_t k = 0; k < i; ++k) num_pairs += size - 2 - k;  // columns behind k but for i itself
    }
    const std::int64_t num_lower = std::int64_t{size} * (size - 1) / 2;
    EXPECT_EQ(cost.factor_multiply_adds, num_pairs + num_lower);
    const PrcArrays& arrays = prc.arrays();
    std::int64_t counted = std::ssize(arrays.pairs);
    for (const PrcFront& front : arrays.fronts) counted += multiply_adds_of(front, arrays.front_slots);
    EXPECT_EQ(counted, num_pairs);
  }
}

/// Every coefficient of the program is positive, whatever the signs in the model, so that sums cannot cancel.
TEST(Eliminate, MixedSignsBecomeFormsOfTheirOwn) {
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(4);
  const RateTerm up{0, 1.0}, down{0, -1.0};
  builder.add_edge(0, 1, 0, {&up, 1});
  builder.add_edge(0, 2, 1, {&down, 1});  // 1 - p
  builder.add_edge(1, 3, 1, {&down, 1});  // the same form again
  builder.add_edge(2, 3, 0, {&up, 1});
  builder.add_initial(0, 1);
  const Prc prc = eliminate(std::move(builder).build());
  const PrcArrays& arrays = prc.arrays();
  EXPECT_EQ(arrays.forms.size(), 1U);
  for (const PrcTerm& term : arrays.terms) EXPECT_GT(term.coefficient, 0);
  for (const PrcGroup& group : arrays.groups) EXPECT_GE(group.total, 0);
}

TEST(Eliminate, RefusesWhatCannotFit) {
  EXPECT_THROW(
      try { eliminate(oracle::zoo_dense_random(60).graph, /*max_bytes=*/1000); } catch (const ModelError& error) {
        EXPECT_NE(std::string(error.what()).find("multiply-adds"), std::string::npos) << error.what();
        throw;
      },
      ModelError);
}

TEST(Eliminate, NoTransientStates) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(1);
  builder.add_initial(0, 1);
  const Prc prc = eliminate(std::move(builder).build());
  EXPECT_EQ(prc.cost().num_transient, 0);
}

}  // namespace
}  // namespace sojourn
