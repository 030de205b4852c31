#include "sojourn/explore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "graph/state_table.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using State = std::span<const std::int32_t>;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Call>
std::string model_error(const Call& call) {
  try {
    call();
  } catch (const ModelError& error) {
    return error.what();
  }
  return "no error";
}

ExploreOptions one_variable(std::int32_t start) {
  ExploreOptions options;
  options.variable_names = {"x"};
  options.initial = {{{start}, 1.0}};
  return options;
}

/// x -> x - 1 at rate phi_0 x, absorbed at 0.
void pure_death(State state, TransitionSink& sink) {
  if (state[0] == 0) return;
  const std::int32_t to = state[0] - 1;
  const RateTerm term{0, static_cast<double>(state[0])};
  sink.emit({&to, 1}, 0, {&term, 1});
}

TEST(Explore, DiscoversInBreadthFirstOrder) {
  ExploreOptions options;
  options.num_rates = 2;
  options.variable_names = {"a", "b"};
  options.initial = {{{2, 0}, 0.5}, {{1, 1}, 0.25}};
  options.rewards = {{"sum", [](State s) { return s[0] + s[1]; }}};
  const StateGraph graph = explore(options, [](State s, TransitionSink& sink) {
    if (s[0] + s[1] == 1) return;
    const std::int32_t merge[] = {1, 0}, move[] = {s[0] - 1, s[1] + 1};
    const RateTerm rate{0, 1.0}, migration{1, static_cast<double>(s[0])};
    if (s[0] > 0) sink.emit(move, 0.5, {&migration, 1});
    sink.emit(merge, 0, {&rate, 1});
  });
  ASSERT_EQ(graph.num_states(), 4);
  EXPECT_THAT(graph.state_variables(0), ElementsAre(2, 0));
  EXPECT_THAT(graph.state_variables(1), ElementsAre(1, 1));
  EXPECT_THAT(graph.state_variables(2), ElementsAre(1, 0));
  EXPECT_THAT(graph.state_variables(3), ElementsAre(0, 2));
  EXPECT_EQ(graph.num_edges(), 5);
  EXPECT_EQ(graph.defect(), 0.25);
  EXPECT_THAT(graph.reward("sum"), ElementsAre(2, 2, 0, 2));
  EXPECT_TRUE(graph.is_absorbing(2));
  const double phi[] = {3, 7};
  EXPECT_EQ(graph.edge_to(0), 1);
  EXPECT_EQ(graph.weight(0, phi), 0.5 + 2 * 7);
  EXPECT_EQ(graph.weight(1, phi), 3);
}

TEST(Explore, MergesTransitionsToOneStateAndDropsZeros) {
  ExploreOptions options = one_variable(1);
  options.num_rates = 3;
  const StateGraph graph = explore(options, [](State s, TransitionSink& sink) {
    if (s[0] == 0) return;
    const std::int32_t zero = 0, never = 7;
    const RateTerm first[] = {{2, 1.0}, {0, 2.0}}, second[] = {{0, 0.5}, {1, 4.0}}, nothing[] = {{1, 0.0}};
    sink.emit({&zero, 1}, 0.25, first);
    sink.emit({&never, 1}, 0, nothing);
    sink.emit({&zero, 1}, 0.5, second);
    sink.emit({&never, 1}, 0, {});
  });
  ASSERT_EQ(graph.num_states(), 2);
  ASSERT_EQ(graph.num_edges(), 1);
  EXPECT_EQ(graph.base(0), 0.75);
  const auto terms = graph.terms(0);
  ASSERT_EQ(terms.size(), 3u);
  for (std::int32_t k = 0; k < 3; ++k) EXPECT_EQ(terms[k].rate, k);
  EXPECT_EQ(terms[0].coefficient, 2.5);
  EXPECT_EQ(terms[1].coefficient, 4.0);
  EXPECT_EQ(terms[2].coefficient, 1.0);
}

TEST(Explore, LongChainNeedsNoRecursion) {
  constexpr std::int32_t kStart = 200'000;
  const StateGraph graph = explore(one_variable(kStart), pure_death);
  EXPECT_EQ(graph.num_states(), kStart + 1);
  EXPECT_EQ(graph.num_edges(), kStart);
  EXPECT_EQ(graph.state_variables(kStart)[0], 0);
  EXPECT_EQ(graph.terms(0)[0].coefficient, kStart);
}

TEST(Explore, ValuesMayGrowAndTurnNegative) {
  // From 0 down to -1000 and up to 3000, absorbed past both ends.
  const StateGraph graph = explore(one_variable(0), [](State s, TransitionSink& sink) {
    if (s[0] <= -1000 || s[0] >= 3000) return;
    for (const std::int32_t to : {s[0] - 1, s[0] + 2}) sink.emit({&to, 1}, 1.0, {});
  });
  EXPECT_EQ(graph.num_states(), 1000 + 3001 + 1);  // -1000 .. 3001
}

TEST(Explore, StatesWiderThanAKeyAreHashed) {
  // Five variables over the whole range of int32 take 160 bits.
  ExploreOptions options;
  options.variable_names = {"a", "b", "c", "d", "e"};
  options.initial = {{{0, 0, 0, 0, 0}, 1.0}};
  constexpr std::int32_t kHuge = std::numeric_limits<std::int32_t>::max();
  constexpr std::int32_t kTiny = std::numeric_limits<std::int32_t>::min();
  const StateGraph graph = explore(options, [](State s, TransitionSink& sink) {
    std::vector<std::int32_t> to(s.begin(), s.end());
    for (std::size_t v = 0; v < to.size(); ++v) {
      if (s[v] != 0) continue;
      for (const std::int32_t value : {kHuge, kTiny}) {
        to[v] = value;
        sink.emit(to, 1.0, {});
      }
      to[v] = 0;
    }
  });
  EXPECT_EQ(graph.num_states(), 243);
  EXPECT_EQ(graph.num_edges(), 2 * 5 * 81);
}

TEST(Explore, OneStateWithoutTransitions) {
  const StateGraph graph = explore(one_variable(5), [](State, TransitionSink&) {});
  EXPECT_EQ(graph.num_states(), 1);
  EXPECT_EQ(graph.num_edges(), 0);
}

TEST(Explore, DiscreteTime) {
  ExploreOptions options = one_variable(3);
  options.time_kind = TimeKind::kDiscrete;
  const StateGraph graph = explore(options, [](State s, TransitionSink& sink) {
    if (s[0] == 0) return;
    const std::int32_t to = s[0] - 1;
    sink.emit({&to, 1}, 0.5, {});
  });
  EXPECT_EQ(graph.time_kind(), TimeKind::kDiscrete);
  EXPECT_EQ(graph.num_states(), 4);
}

TEST(ExploreBlocks, StatesComeTogetherAndInTurn) {
  // A tree of three branches, so that blocks fill up; each state's number is its discovery.
  constexpr std::int32_t kStates = 1000;
  std::int32_t next = 0;
  std::size_t largest = 0;
  const StateGraph graph = explore_blocks(one_variable(0), [&](auto states, TransitionBlockSink& sink) {
    largest = std::max(largest, states.num_rows());
    for (std::size_t k = 0; k < states.num_rows(); ++k) {
      sink.begin_state(k);
      EXPECT_EQ(states(k, 0), next++);
      for (std::int32_t branch = 1; branch <= 3; ++branch) {
        const VariableChange change{0, 2 * states(k, 0) + branch};
        if (states(k, 0) + change.delta < kStates) sink.emit_change({&change, 1}, branch, {});
      }
    }
  });
  ASSERT_EQ(graph.num_states(), kStates);
  EXPECT_EQ(largest, static_cast<std::size_t>(kLargestStateBlock));
  EXPECT_EQ(graph.edge_to(graph.edge_begin(100) + 1), 302);
  EXPECT_EQ(graph.base(graph.edge_begin(100) + 1), 2);
}

TEST(ExploreBlocks, EachStateMustBeBegunOnce) {
  const auto with = [](std::vector<std::size_t> begun) {
    try {
      (void)explore_blocks(one_variable(3), [&](auto, TransitionBlockSink& sink) {
        for (const std::size_t k : begun) sink.begin_state(k);
      });
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(with({}), HasSubstr("began 0 of the 1 states"));
  EXPECT_THAT(with({0, 0}), HasSubstr("state 0 of 1 was begun after 1 others"));
  EXPECT_THAT(with({1}), HasSubstr("state 1 of 1 was begun after 0 others"));
  EXPECT_EQ(with({0}), "no error");
}

TEST(ExploreErrors, StateLimit) {
  ExploreOptions options = one_variable(0);
  options.max_states = 1000;
  const auto endless = [](State s, TransitionSink& sink) {
    const std::int32_t to = s[0] + 1;
    sink.emit({&to, 1}, 1.0, {});
  };
  EXPECT_THAT(model_error([&] { (void)explore(options, endless); }),
              AllOf(HasSubstr("state limit 1000 (--max-states)"),
                    ::testing::ContainsRegex("takes about [0-9.]+ [KM]iB so far"), HasSubstr("raise the limit")));
  const auto fan_out = [](State, TransitionSink& sink) {
    for (std::int32_t to = 1;; ++to) sink.emit({&to, 1}, 1.0, {});
  };
  EXPECT_THAT(model_error([&] { (void)explore(options, fan_out); }), HasSubstr("state limit 1000"));
  options.max_states = 201;
  options.initial = {{{200}, 1.0}};
  EXPECT_EQ(explore(options, pure_death).num_states(), 201);
  options.max_states = 200;
  EXPECT_THROW((void)explore(options, pure_death), ModelError);
  options.max_states = 1;
  options.initial = {{{0}, 0.5}, {{1}, 0.5}};
  EXPECT_THROW((void)explore(options, [](State, TransitionSink&) {}), ModelError);
}

TEST(ExploreErrors, MalformedTransitions) {
  const auto with = [](std::vector<std::int32_t> to, double base, std::vector<RateTerm> terms) {
    return model_error([&] {
      (void)explore(one_variable(4), [&](State s, TransitionSink& sink) {
        if (s[0] == 4) sink.emit(to, base, terms);
      });
    });
  };
  EXPECT_THAT(with({1, 2}, 1.0, {}), AllOf(HasSubstr("x=4"), HasSubstr("2 values")));
  EXPECT_THAT(with({1}, std::nan(""), {}), AllOf(HasSubstr("x=4"), HasSubstr("rate nan must be finite")));
  EXPECT_THAT(with({1}, 0, {{1, 1.0}}), AllOf(HasSubstr("x=4"), HasSubstr("parameter 2 of 1")));
  EXPECT_THAT(with({1}, 0, {{0, INFINITY}}), AllOf(HasSubstr("x=4"), HasSubstr("coefficient inf")));
  EXPECT_THAT(with({4}, 1.0, {}), HasSubstr("self-loop"));
  EXPECT_THAT(with({1}, -1.0, {}), HasSubstr("must be finite and > 0"));
  EXPECT_EQ(with({1}, 1.0, {}), "no error");
}

TEST(ExploreErrors, Options) {
  ExploreOptions options = one_variable(1);
  options.initial.clear();
  EXPECT_THAT(model_error([&] { (void)explore(options, pure_death); }), HasSubstr("no start state"));
  options.initial = {{{1, 2}, 1.0}};
  EXPECT_THAT(model_error([&] { (void)explore(options, pure_death); }), HasSubstr("one per variable"));
  options.initial = {{{1}, 0.5}, {{1}, 0.5}};
  EXPECT_THAT(model_error([&] { (void)explore(options, pure_death); }), HasSubstr("given twice"));
  options = one_variable(1);
  options.variable_names.clear();
  EXPECT_THAT(model_error([&] { (void)explore(options, pure_death); }), HasSubstr("no variables"));
  options = one_variable(1);
  EXPECT_THROW((void)explore(options, [](State, TransitionSink&) { throw std::runtime_error("callback"); }),
               std::runtime_error);
}

/// Rows drawn by a fixed linear congruential generator, compared with std::map.
void expect_like_map(std::size_t width, std::uint32_t range, std::int32_t lowest, bool grows) {
  StateTable table(width);
  std::map<std::vector<std::int32_t>, std::int32_t> known;
  std::uint64_t seed = 12345;
  for (int k = 0; k < 20'000; ++k) {
    std::vector<std::int32_t> row(width);
    for (std::int32_t& value : row) {
      seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::uint32_t limit = grows ? 1 + static_cast<std::uint32_t>(range * (k / 20'000.0)) : range;
      value =
          static_cast<std::int32_t>(static_cast<std::uint32_t>(seed >> 33) % limit) + lowest * (grows ? k / 100 : 1);
    }
    const auto [place, is_new] = known.emplace(row, static_cast<std::int32_t>(known.size()));
    ASSERT_EQ(table.find_or_add(row), place->second) << "row " << k;
  }
  ASSERT_EQ(table.num_states(), static_cast<std::int32_t>(known.size()));
  for (const auto& [row, index] : known) ASSERT_TRUE(std::ranges::equal(table.row(index), row));
}

TEST(StateTable, AgreesWithAMap) {
  expect_like_map(1, 5000, 0, false);
  expect_like_map(3, 20, -7, false);
  expect_like_map(3, 40, -3, true);   // fields are laid out anew while values grow
  expect_like_map(20, 3, 0, false);   // two words
  expect_like_map(60, 50, 0, true);   // packed at first, hashed later
  expect_like_map(200, 2, 0, false);  // more variables than bits
  expect_like_map(4, 0x7fffffff, -0x3fffffff, false);
  expect_like_map(140, 200, -1, true);    // hashed rows of one byte a value, then of two
  expect_like_map(140, 70'000, 0, true);  // and of four
}

/// Rows whose hashes collide stay apart: one by one, and entered together.
TEST(StateTable, ComparesRowsOfOneHash) {
  StateTable table(200);
  ASSERT_FALSE(table.is_packed());
  ASSERT_EQ(table.rows().row_bytes(), 200);
  std::vector<std::vector<std::uint8_t>> rows(4, std::vector<std::uint8_t>(200, 1));
  rows[1][0] = 2;
  rows[2][199] = 2;
  rows[3][100] = 2;
  const StateKey key{{5, 7}};
  const std::uint64_t hash = StateTable::hash_of(key);
  for (std::int32_t n = 0; n < 3; ++n) EXPECT_EQ(table.find_or_add(key, hash, rows[n].data()), n);
  for (std::int32_t n = 0; n < 3; ++n) EXPECT_EQ(table.find(key, hash, rows[n].data()), n);
  EXPECT_EQ(table.find(key, hash, rows[3].data()), -1);
  std::vector<std::uint8_t> entered;
  for (const int n : {3, 3, 0}) entered.insert(entered.end(), rows[n].begin(), rows[n].end());
  entered[2 * 200 + 50] = 3;
  const std::vector<StateKey> keys(3, key);
  const std::vector<std::uint64_t> hashes(3, hash);
  StateTable::NewRows fresh{keys, hashes, entered.data(), {}};
  const int shard = static_cast<int>(hash >> StateTable::kShardShift);
  fresh.of_shard[shard] = {0, 1, 2};
  table.reserve_for(fresh);
  std::vector<std::int32_t> first(3, -1);
  table.enter(shard, fresh, first);
  EXPECT_THAT(first, ElementsAre(0, 0, 2));
  table.extend(5);
  const std::int32_t numbers[] = {3, 3, 4};
  table.settle(shard, fresh, numbers);
  EXPECT_EQ(table.find(key, hash, rows[3].data()), 3);
  EXPECT_EQ(table.find(key, hash, entered.data() + 400), 4);
  EXPECT_EQ(table.row(4)[50], 3);
}

TEST(StateTable, PacksWhileTheBitsFit) {
  StateTable table(4);
  const std::int32_t low = std::numeric_limits<std::int32_t>::min(), high = std::numeric_limits<std::int32_t>::max();
  table.find_or_add(std::vector<std::int32_t>{low, low, low, low});
  table.find_or_add(std::vector<std::int32_t>{high, high, high, high});
  EXPECT_TRUE(table.is_packed());
  EXPECT_EQ(table.find_or_add(std::vector<std::int32_t>{low, low, low, low}), 0);
  StateTable wide(5);
  wide.find_or_add(std::vector<std::int32_t>{low, low, low, low, low});
  wide.find_or_add(std::vector<std::int32_t>{high, high, high, high, high});
  EXPECT_FALSE(wide.is_packed());
  EXPECT_EQ(wide.find_or_add(std::vector<std::int32_t>{low, low, low, low, low}), 0);
  // From packed zeros at once to hashed rows of four bytes a value.
  StateTable at_once(5);
  const std::vector<std::int32_t> zeros(5, 0), highs(5, high);
  at_once.find_or_add(zeros);
  EXPECT_EQ(at_once.find_or_add(highs), 1);
  EXPECT_FALSE(at_once.is_packed());
  EXPECT_EQ(at_once.row(1), highs);
  EXPECT_EQ(at_once.find_or_add(zeros), 0);
}

}  // namespace
}  // namespace sojourn
