#include "sojourn/state_graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "graph/reachability.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// 0 -> 1 -> 2 with weights 0.5 + 2 phi_0 and phi_1.
StateGraphBuilder chain_of_three(TimeKind time_kind = TimeKind::kContinuous) {
  StateGraphBuilder builder(time_kind, 2);
  builder.ensure_states(3);
  builder.add_edge(0, 1, 0.5, std::vector<RateTerm>{{0, 2.0}});
  builder.add_edge(1, 2, 0.0, std::vector<RateTerm>{{1, 1.0}});
  return builder;
}

std::string message_of(StateGraphBuilder builder) {
  try {
    std::move(builder).build();
  } catch (const ModelError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kInvalidFile);
    return error.what();
  }
  return "no error";
}

TEST(StateGraphBuilder, SortsEdgesGivenInAnyOrder) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(4);
  builder.add_edge(2, 3, 1.0, {});
  builder.add_edge(0, 2, 0.25, std::vector<RateTerm>{{1, 3.0}, {0, 1.0}, {1, 0.5}});
  builder.add_edge(1, 3, 2.0, {});
  builder.add_edge(0, 1, 0.0, std::vector<RateTerm>{{0, 0.0}, {1, 1.0}});
  builder.add_initial(0, 1.0);
  const StateGraph graph = std::move(builder).build();

  ASSERT_EQ(graph.num_states(), 4);
  ASSERT_EQ(graph.num_edges(), 4);
  const std::int32_t from[] = {0, 0, 1, 2}, to[] = {1, 2, 3, 3};
  const double weight[] = {5.0, 0.25 + 3.0 * 5 + 7.0 + 0.5 * 5, 2.0, 1.0};
  const double phi[] = {7.0, 5.0};
  for (std::int64_t e = 0; e < 4; ++e) {
    EXPECT_EQ(graph.edge_from(e), from[e]);
    EXPECT_EQ(graph.edge_to(e), to[e]);
    EXPECT_DOUBLE_EQ(graph.weight(e, phi), weight[e]);
  }
  EXPECT_EQ(graph.terms(0).size(), 1u);
  ASSERT_EQ(graph.terms(1).size(), 2u);
  EXPECT_EQ(graph.terms(1)[0].rate, 0);
  EXPECT_EQ(graph.terms(1)[1].coefficient, 3.5);
  EXPECT_TRUE(graph.is_absorbing(3));
  EXPECT_FALSE(graph.is_absorbing(2));
  EXPECT_THAT(graph.unit_reward(), ElementsAre(1, 1, 1, 0));
}

TEST(StateGraphBuilder, OrderOfEdgesDoesNotMatter) {
  for (const bool reversed : {false, true}) {
    StateGraphBuilder builder(TimeKind::kContinuous, 1);
    builder.ensure_states(6);
    for (int k = 0; k < 5; ++k) {
      const int s = reversed ? 4 - k : k;
      const std::vector<RateTerm> terms{{0, s + 1.0}};
      if (reversed && s + 2 < 6) builder.add_edge(s, s + 2, s, terms);
      builder.add_edge(s, s + 1, 0.0, terms);
      if (!reversed && s + 2 < 6) builder.add_edge(s, s + 2, s, terms);
    }
    builder.add_initial(0, 1.0);
    const StateGraph graph = std::move(builder).build();
    ASSERT_EQ(graph.num_edges(), 9);
    for (std::int64_t e = 0; e < 9; ++e) {
      const std::int32_t from = graph.edge_from(e);
      EXPECT_EQ(graph.base(e), graph.edge_to(e) == from + 2 ? from : 0);
      EXPECT_EQ(graph.terms(e)[0].coefficient, from + 1);
    }
  }
}

TEST(StateGraphBuilder, DefectIsWhatTheStartLeaves) {
  auto builder = chain_of_three();
  builder.add_initial(1, 0.125);
  builder.add_initial(0, 0.5);
  builder.add_initial(2, 0.0);
  const StateGraph graph = std::move(builder).build();
  EXPECT_EQ(graph.defect(), 0.375);
  ASSERT_EQ(graph.initial().size(), 2u);
  EXPECT_EQ(graph.initial()[0].state, 0);
  EXPECT_EQ(graph.initial()[1].probability, 0.125);
}

TEST(StateGraphBuilder, RoundingOfTheStartIsNoDefect) {
  auto builder = StateGraphBuilder(TimeKind::kContinuous, 0);
  builder.ensure_states(11);
  for (int s = 0; s < 10; ++s) {
    builder.add_edge(s, 10, 1.0, {});
    builder.add_initial(s, 0.1);
  }
  EXPECT_EQ(std::move(builder).build().defect(), 0.0);
}

TEST(StateGraphBuilder, OneStateIsAnAtomAtZero) {
  StateGraphBuilder builder(TimeKind::kContinuous, 0);
  builder.ensure_states(1);
  builder.add_initial(0, 1.0);
  builder.add_reward("cost", {5.0});
  const StateGraph graph = std::move(builder).build();
  EXPECT_EQ(graph.num_states(), 1);
  EXPECT_EQ(graph.num_edges(), 0);
  EXPECT_THAT(graph.unit_reward(), ElementsAre(0));
  EXPECT_THAT(graph.reward("cost"), ElementsAre(0));
  EXPECT_EQ(first_bad_edge(graph, {}), -1);
}

TEST(StateGraphBuilder, DisconnectedPartsAreKept) {
  auto builder = chain_of_three();
  builder.ensure_states(7);
  builder.add_edge(3, 4, 1.0, {});  // a ring that the start does not reach has no way out
  builder.add_edge(4, 3, 1.0, {});
  builder.add_edge(5, 6, 1.0, {});
  builder.add_initial(0, 1.0);
  const StateGraph graph = std::move(builder).build();
  EXPECT_EQ(graph.num_states(), 7);
  EXPECT_EQ(graph.num_edges(), 5);
}

TEST(StateGraphBuilder, LongChainsNeedNoRecursion) {
  constexpr std::int32_t kStates = 1'000'000;
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(kStates);
  const std::vector<RateTerm> terms{{0, 1.0}};
  for (std::int32_t s = kStates - 1; s > 0; --s) builder.add_edge(s - 1, s, 0, terms);
  builder.add_initial(0, 1.0);
  EXPECT_EQ(std::move(builder).build().num_edges(), kStates - 1);
}

TEST(StateGraphBuilder, LongChainAgainstDiscoveryOrderStillAbsorbs) {
  // The way to absorption runs against breadth-first order, so the reversed search is needed.
  constexpr std::int32_t kStates = 100'000;
  StateGraphBuilder builder(TimeKind::kContinuous, 0);
  builder.ensure_states(kStates + 1);
  for (std::int32_t s = 0; s < kStates; ++s) {
    if (s + 1 < kStates) builder.add_edge(s, s + 1, 1.0, {});
    if (s > 0) builder.add_edge(s, s - 1, 1.0, {});
  }
  builder.add_edge(0, kStates, 1.0, {});
  builder.add_initial(0, 1.0);
  EXPECT_EQ(std::move(builder).build().num_states(), kStates + 1);
}

TEST(StateGraphBuilder, RewardsAreZeroWhereAbsorbing) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  builder.add_reward("a", {1.0, 0.0, 99.0});
  builder.add_reward("b", {0.0, 2.5, -1.0});
  const StateGraph graph = std::move(builder).build();
  EXPECT_THAT(graph.reward("a"), ElementsAre(1, 0, 0));
  EXPECT_THAT(graph.reward("b"), ElementsAre(0, 2.5, 0));
  try {
    (void)graph.reward("c");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'c'"), HasSubstr("a, b")));
  }
}

TEST(StateGraphBuilder, VariablesOfStates) {
  StateGraphBuilder builder(TimeKind::kContinuous, 0);
  builder.set_variable_names({"x", "y"});
  EXPECT_EQ(builder.add_state(std::vector<std::int32_t>{3, -4}), 0);
  EXPECT_EQ(builder.add_state(std::vector<std::int32_t>{5, 6}), 1);
  EXPECT_THROW(builder.add_state(std::vector<std::int32_t>{5}), ModelError);
  builder.add_edge(0, 1, 1.0, {});
  builder.add_initial(0, 1.0);
  const StateGraph graph = std::move(builder).build();
  EXPECT_THAT(graph.state_variables(0), ElementsAre(3, -4));
  EXPECT_THAT(graph.state_variables(1), ElementsAre(5, 6));
  EXPECT_THAT(graph.variable_names(), ElementsAre("x", "y"));
}

TEST(StateGraphBuilderErrors, UnknownState) {
  for (const std::int32_t bad : {3, -1}) {
    auto builder = chain_of_three();
    builder.add_initial(0, 1.0);
    builder.add_edge(1, bad, 1.0, {});
    EXPECT_THAT(
        message_of(std::move(builder)),
        AllOf(HasSubstr("edge 2"), HasSubstr("state " + std::to_string(bad) + " is not defined"), HasSubstr("0 to 2")));
  }
  auto builder = chain_of_three();
  builder.add_initial(8, 1.0);
  EXPECT_THAT(message_of(std::move(builder)), HasSubstr("initial: state 8 is not defined"));
}

TEST(StateGraphBuilderErrors, ConstantWeightMustBePositiveAndFinite) {
  for (const double bad : {-1.0, 0.0, kNan, kInfinity, -kInfinity}) {
    auto builder = chain_of_three();
    builder.add_initial(0, 1.0);
    builder.add_edge(0, 2, bad, {});
    EXPECT_THAT(message_of(std::move(builder)), AllOf(HasSubstr("edge 2"), HasSubstr("must be finite and > 0")));
  }
  // Cancelling or zero coefficients leave a constant weight.
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  builder.add_edge(0, 2, 0.0, std::vector<RateTerm>{{1, 2.0}, {0, 0.0}, {1, -2.0}});
  EXPECT_THAT(message_of(std::move(builder)), AllOf(HasSubstr("edge 2"), HasSubstr("must be finite and > 0")));
}

TEST(StateGraphBuilderErrors, NegativeBaseWithAParameterIsLeftToEvaluation) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  builder.add_edge(0, 2, -1.0, std::vector<RateTerm>{{1, 2.0}});
  EXPECT_EQ(message_of(std::move(builder)), "no error");
}

TEST(StateGraphBuilderErrors, Coefficients) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  auto index = builder;
  index.add_edge(0, 2, 1.0, std::vector<RateTerm>{{2, 1.0}});
  EXPECT_THAT(message_of(std::move(index)), AllOf(HasSubstr("edge 2"), HasSubstr("parameter 3 of 2")));
  auto negative = builder;
  negative.add_edge(0, 2, 1.0, std::vector<RateTerm>{{-1, 1.0}});
  EXPECT_THAT(message_of(std::move(negative)), HasSubstr("index -1"));
  auto infinite = builder;
  infinite.add_edge(0, 2, 1.0, std::vector<RateTerm>{{1, kNan}});
  EXPECT_THAT(message_of(std::move(infinite)), AllOf(HasSubstr("edge 2"), HasSubstr("coefficient nan")));
}

TEST(StateGraphBuilderErrors, DefectiveLaws) {
  StateGraphBuilder ring(TimeKind::kContinuous, 0);
  ring.ensure_states(2);
  ring.add_edge(0, 1, 1.0, {});
  ring.add_edge(1, 0, 1.0, {});
  ring.add_initial(0, 1.0);
  EXPECT_THAT(message_of(ring), AllOf(HasSubstr("no absorbing state"), HasSubstr("defective")));
  ring.ensure_states(3);
  EXPECT_THAT(message_of(ring),
              AllOf(HasSubstr("state 0"), HasSubstr("cannot reach"), HasSubstr("trapped states: 0, 1")));

  auto branch = chain_of_three();
  branch.ensure_states(20);
  branch.add_edge(0, 3, 1.0, {});
  for (int s = 3; s < 20; ++s) branch.add_edge(s, s == 19 ? 3 : s + 1, 1.0, {});
  branch.add_initial(0, 1.0);
  EXPECT_THAT(message_of(branch), AllOf(HasSubstr("state 3 "), HasSubstr("3, 4, 5, 6, 7, 8, 9, 10, ...")));
}

TEST(StateGraphBuilderErrors, StartProbabilities) {
  EXPECT_THAT(message_of(chain_of_three()), HasSubstr("no start state"));
  auto too_much = chain_of_three();
  too_much.add_initial(0, 0.7);
  too_much.add_initial(1, 0.32);
  EXPECT_THAT(message_of(std::move(too_much)), HasSubstr("initial: the start probabilities sum to 1.02"));
  for (const double bad : {-0.1, kNan, kInfinity}) {
    auto builder = chain_of_three();
    builder.add_initial(0, 0.7);
    builder.add_initial(1, bad);
    EXPECT_THAT(message_of(std::move(builder)), HasSubstr("initial: state 1 has probability"));
  }
  auto twice = chain_of_three();
  twice.add_initial(0, 0.5);
  twice.add_initial(0, 0.25);
  EXPECT_THAT(message_of(std::move(twice)), HasSubstr("state 0 is given twice"));
  auto zero = chain_of_three();
  zero.add_initial(0, 0.0);
  EXPECT_THAT(message_of(std::move(zero)), HasSubstr("initial: the start probabilities sum to 0"));
}

TEST(StateGraphBuilderErrors, SelfLoopsInBothTimes) {
  for (const TimeKind time_kind : {TimeKind::kContinuous, TimeKind::kDiscrete}) {
    auto builder = chain_of_three(time_kind);
    builder.add_initial(0, 1.0);
    builder.add_edge(1, 1, 0.25, {});
    EXPECT_THAT(message_of(std::move(builder)), AllOf(HasSubstr("edge 2 (1 -> 1)"), HasSubstr("self-loop")));
  }
}

TEST(StateGraphBuilderErrors, DiscreteRowAboveOne) {
  auto builder = chain_of_three(TimeKind::kDiscrete);
  builder.add_initial(0, 1.0);
  auto fits = builder;
  fits.add_edge(0, 2, 0.5, {});
  EXPECT_EQ(message_of(std::move(fits)), "no error");
  auto exceeds = builder;
  exceeds.add_edge(0, 2, 0.75, {});
  EXPECT_THAT(message_of(std::move(exceeds)), AllOf(HasSubstr("state 0"), HasSubstr("1.25")));
  // 1 - phi_0 and 0.5 + 2 phi_0 ... may fit where a coefficient is negative; evaluation decides.
  auto parametric = builder;
  parametric.add_edge(0, 2, 1.0, std::vector<RateTerm>{{0, -3.0}});
  EXPECT_EQ(message_of(std::move(parametric)), "no error");
  auto continuous = chain_of_three();
  continuous.add_initial(0, 1.0);
  continuous.add_edge(0, 2, 7.0, {});
  EXPECT_EQ(message_of(std::move(continuous)), "no error");
}

TEST(StateGraphBuilderErrors, Duplicates) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  builder.add_edge(0, 2, 1.0, {});
  builder.add_edge(0, 1, 1.0, {});
  EXPECT_THAT(message_of(std::move(builder)), HasSubstr("edge 3 (0 -> 1): duplicate of edge 0"));
  auto adjacent = chain_of_three();
  adjacent.add_initial(0, 1.0);
  adjacent.add_edge(1, 2, 1.0, {});
  EXPECT_THAT(message_of(std::move(adjacent)), HasSubstr("edge 2 (1 -> 2): duplicate of edge 1"));

  StateGraphBuilder states(TimeKind::kContinuous, 0);
  states.set_variable_names({"x", "y"});
  for (const std::int32_t x : {1, 2, 3, 2}) states.add_state(std::vector<std::int32_t>{x, 7});
  states.add_edge(0, 1, 1.0, {});
  states.add_initial(0, 1.0);
  EXPECT_THAT(message_of(std::move(states)), HasSubstr("state 3: the same variables as state 1 (2, 7)"));
}

TEST(StateGraphBuilderErrors, ZeroStates) {
  EXPECT_THAT(message_of(StateGraphBuilder(TimeKind::kContinuous, 1)), HasSubstr("no states"));
}

TEST(StateGraphBuilderErrors, Rewards) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  const auto with = [&](std::vector<double> values) {
    auto copy = builder;
    copy.add_reward("cost", std::move(values));
    return message_of(std::move(copy));
  };
  EXPECT_THAT(with({1, 2}), AllOf(HasSubstr("'cost' has 2 values"), HasSubstr("3")));
  EXPECT_THAT(with({1, -2, 0}), AllOf(HasSubstr("value -2 of state 1"), HasSubstr(">= 0")));
  EXPECT_THAT(with({kNan, 2, 0}), HasSubstr("value nan of state 0"));
  EXPECT_THAT(with({0, 0, 5}), HasSubstr("zero in every transient state"));
  builder.add_reward("cost", {1, 1, 0});
  EXPECT_THAT(with({1, 1, 0}), HasSubstr("'cost' is given twice"));
}

TEST(FirstBadEdge, NonNegativeFormsNeedNoScan) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  const StateGraph graph = std::move(builder).build();
  EXPECT_EQ(graph.weight_bound(3.0), 0.5 + 2 * 3.0);
  EXPECT_EQ(first_bad_edge(graph, std::vector{0.0, 0.0}), -1);
  EXPECT_EQ(first_bad_edge(graph, std::vector{3.0, 1.0}), -1);
  EXPECT_EQ(first_bad_edge(graph, std::vector{-0.25, 1.0}), -1);
  EXPECT_EQ(first_bad_edge(graph, std::vector{-0.5, 1.0}), 0);
  EXPECT_EQ(first_bad_edge(graph, std::vector{1.0, -1e-300}), 1);
  EXPECT_EQ(first_bad_edge(graph, std::vector{kNan, 1.0}), 0);
  EXPECT_EQ(first_bad_edge(graph, std::vector{1.0, kInfinity}), 1);
  EXPECT_EQ(first_bad_edge(graph, std::vector{1e308, 1.0}), 0);
}

TEST(FirstBadEdge, NegativeCoefficientsAreScanned) {
  auto builder = chain_of_three();
  builder.add_initial(0, 1.0);
  builder.add_edge(1, 0, 1.0, std::vector<RateTerm>{{0, -1.0}});
  const StateGraph graph = std::move(builder).build();
  EXPECT_EQ(graph.weight_bound(1.0), kInfinity);
  EXPECT_EQ(first_bad_edge(graph, std::vector{1.0, 1.0}), -1);
  EXPECT_EQ(first_bad_edge(graph, std::vector{1.5, 1.0}), 1);
}

TEST(TrappedStates, DependOnTheRates) {
  auto builder = chain_of_three();
  builder.add_edge(1, 0, 1.0, {});
  builder.add_initial(0, 1.0);
  const StateGraph graph = std::move(builder).build();
  EXPECT_THAT(trapped_states(graph, std::vector{1.0, 1.0}, 8), ElementsAre());
  EXPECT_THAT(trapped_states(graph, std::vector{1.0, 0.0}, 8), ElementsAre(0, 1));
  EXPECT_THAT(trapped_states(graph, std::vector{1.0, 0.0}, 1), ElementsAre(0));
}

TEST(TrappedStates, OfRandomGraphsAreThoseOfTheFixedPoint) {
  std::uint64_t seed = 99;
  const auto below = [&](std::int32_t limit) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::int32_t>((seed >> 33) % static_cast<std::uint64_t>(limit));
  };
  int num_with_trapped = 0;
  for (int graph_number = 0; graph_number < 300; ++graph_number) {
    const std::int32_t n = 3 + below(30);
    StateGraphBuilder builder(TimeKind::kContinuous, 1);
    builder.ensure_states(n);
    std::set<std::pair<std::int32_t, std::int32_t>> edges;
    // A way to absorption, so that the graph is built; whether states stay trapped depends on the rate.
    for (std::int32_t s = 0; s + 1 < n; ++s) edges.insert({s, s + 1});
    std::vector<char> is_constant(static_cast<std::size_t>(n) * n, 0);
    for (std::int32_t k = 0; k < n + below(2 * n); ++k) {
      const std::int32_t from = below(n - 1), to = below(n);
      if (from == to) continue;
      edges.insert({from, to});
      is_constant[from * n + to] = 1;
    }
    for (const auto& [from, to] : edges) {
      const RateTerm term{0, 1.0};
      if (is_constant[from * n + to]) {
        builder.add_edge(from, to, 1.0, {});
      } else {
        builder.add_edge(from, to, 0, {&term, 1});
      }
    }
    builder.add_initial(0, 1.0);
    const StateGraph graph = std::move(builder).build();
    EXPECT_THAT(trapped_states(graph, std::vector{1.0}, n), ElementsAre()) << "graph " << graph_number;
    // At rate 0 the constant edges alone are left.
    std::vector<std::vector<std::int32_t>> targets(n);
    for (const auto& [from, to] : edges)
      if (is_constant[from * n + to]) targets[from].push_back(to);
    std::vector<char> reached(n, 0), absorbs(n, 0);
    reached[0] = absorbs[n - 1] = 1;
    for (std::int32_t round = 0; round < n; ++round)
      for (std::int32_t s = 0; s < n; ++s)
        for (const std::int32_t to : targets[s]) {
          if (reached[s]) reached[to] = 1;
          if (absorbs[to]) absorbs[s] = 1;
        }
    std::vector<std::int32_t> wanted;
    for (std::int32_t s = 0; s < n; ++s)
      if (reached[s] && !absorbs[s]) wanted.push_back(s);
    num_with_trapped += wanted.empty() ? 0 : 1;
    EXPECT_EQ(trapped_states(graph, std::vector{0.0}, n), wanted) << "graph " << graph_number;
  }
  EXPECT_GT(num_with_trapped, 50);
  EXPECT_LT(num_with_trapped, 295);
}

}  // namespace
}  // namespace sojourn
