#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "sojourn/error.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/families.hpp"
#include "sojourn/memory.hpp"
#include "sojourn/model.hpp"

namespace sojourn {
namespace {

using State = std::span<const std::int32_t>;
using testing::HasSubstr;

/// Everything a graph holds, in order.
struct Content {
  std::vector<std::vector<std::int32_t>> states;
  std::vector<std::tuple<std::int32_t, std::int32_t, double>> edges;  ///< from, to, base
  std::vector<std::vector<std::pair<std::int32_t, double>>> terms;
  std::vector<std::vector<double>> rewards;
  bool operator==(const Content&) const = default;
};

Content content_of(const StateGraph& graph) {
  Content content;
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    const auto row = graph.state_variables(s);
    content.states.emplace_back(row.begin(), row.end());
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      content.edges.emplace_back(s, graph.edge_to(e), graph.base(e));
      auto& terms = content.terms.emplace_back();
      for (const RateTerm& term : graph.terms(e)) terms.emplace_back(term.rate, term.coefficient);
    }
  }
  for (const Reward& reward : graph.rewards()) content.rewards.push_back(reward.values);
  return content;
}

/// Breadth-first search with a map, the plain way: what the explorer must find, in the order in which it must find it.
class PlainExploration final : public TransitionSink {
 public:
  Content run(const ExploreOptions& options, TransitionFunction transitions) {
    for (const auto& [row, probability] : options.initial) (void)index_of(row);
    for (std::size_t s = 0; s < content_.states.size(); ++s) {
      from_ = content_.states[s];
      row_.clear();
      transitions(from_, *this);
      for (const auto& [to, weight] : row_) {
        content_.edges.emplace_back(static_cast<std::int32_t>(s), to, weight.base);
        content_.terms.emplace_back(weight.terms.begin(), weight.terms.end());
      }
      is_absorbing_.push_back(row_.empty());
    }
    for (const auto& [name, function] : options.rewards) {
      auto& values = content_.rewards.emplace_back();
      for (std::size_t s = 0; s < content_.states.size(); ++s)
        values.push_back(is_absorbing_[s] ? 0 : function(content_.states[s]));
    }
    return std::move(content_);
  }
  void emit(State to, double base, std::span<const RateTerm> terms) override {
    Weight& weight = row_[index_of({to.begin(), to.end()})];
    weight.base += base;
    for (const RateTerm& term : terms) weight.terms[term.rate] += term.coefficient;
  }
  void emit_change(std::span<const VariableChange> changes, double base, std::span<const RateTerm> terms) override {
    std::vector<std::int32_t> to = from_;
    for (const VariableChange& change : changes) to[change.variable] += change.delta;
    emit(to, base, terms);
  }

 private:
  struct Weight {
    double base = 0;
    std::map<std::int32_t, double> terms;
  };
  std::int32_t index_of(const std::vector<std::int32_t>& row) {
    const auto [place, is_new] = index_.emplace(row, static_cast<std::int32_t>(index_.size()));
    if (is_new) content_.states.push_back(row);
    return place->second;
  }
  Content content_;
  std::vector<std::int32_t> from_;
  std::map<std::vector<std::int32_t>, std::int32_t> index_;
  std::map<std::int32_t, Weight> row_;
  std::vector<bool> is_absorbing_;
};

/// Independent of threads, and the same as the plain search.
void expect_same_graph(ExploreOptions options, const TransitionFunction& transitions) {
  const Content expected = PlainExploration().run(options, transitions);
  options.concurrent = true;
  for (const std::int32_t num_threads : {1, 2, 3, 7}) {
    options.num_threads = num_threads;
    EXPECT_TRUE(content_of(explore(options, transitions)) == expected) << num_threads << " threads";
  }
}

/// A cube of `side`^3 states with steps towards its far corner, some of them twice, and back along one axis: levels of
/// thousands of states, most edges into the next one.
ExploreOptions cube_options() {
  ExploreOptions options;
  options.num_rates = 3;
  options.variable_names = {"a", "b", "c"};
  options.initial = {{{0, 0, 0}, 1.0}};
  options.rewards = {{"sum", [](State s) { return 1.0 + std::abs(s[0]) + 2.0 * std::abs(s[1]); }},
                     {"first", [calls = 0](State s) mutable { return ++calls > 0 ? 1.0 + std::abs(s[2]) : -1.0; }}};
  return options;
}
TransitionFunction cube(std::int32_t side, std::int32_t stride) {
  // Scratch that is captured: each thread must have its own.
  return [side, stride, to = std::vector<std::int32_t>()](State s, TransitionSink& sink) mutable {
    if (s[0] == (side - 1) * stride && s[1] == s[0] && s[2] == s[0]) return;
    for (std::int32_t v = 2; v >= 0; --v) {
      if (std::abs(s[v]) == (side - 1) * std::abs(stride)) continue;
      to.assign(s.begin(), s.end());
      to[v] += stride;
      const RateTerm terms[] = {{v, 1.5 + std::abs(s[v])}, {(v + 1) % 3, 0.25}};
      sink.emit(to, 0, terms);
      const VariableChange change{v, stride};
      if (s[v] % 2 == 0) sink.emit_change({&change, 1}, 0.5, {terms, 1});
    }
    if (s[1] != 0) {
      const VariableChange changes[] = {{1, -stride}, {2, 1}, {2, -1}};
      sink.emit_change(changes, 1.0, {});
    }
  };
}

TEST(ExploreThreads, SameGraphAsAPlainSearch) { expect_same_graph(cube_options(), cube(40, 1)); }

TEST(ExploreThreads, ConstantsAndSecondTermsThatComeLate) {
  // One term an edge needs no places; some blocks of a wave have such edges alone when others need places.
  for (const bool constant : {false, true}) {
    expect_same_graph(cube_options(), [constant](State s, TransitionSink& sink) {
      constexpr std::int32_t kSide = 40;
      const std::int32_t distance = s[0] + s[1] + s[2];
      if (distance == 3 * (kSide - 1)) return;
      for (std::int32_t v = 0; v < 3; ++v) {
        if (s[v] == kSide - 1) continue;
        const VariableChange change{v, 1};
        const RateTerm terms[] = {{v, 1.5}, {(v + 1) % 3, 0.25}};
        const bool is_special = distance > 60 && s[0] == 20;
        sink.emit_change({&change, 1}, is_special && constant ? 0.5 : 0,
                         {terms, is_special && !constant ? std::size_t{2} : std::size_t{1}});
      }
    });
  }
}

TEST(ExploreThreads, ValuesThatOutgrowTheirFields) {
  // 200 million and below 0: the fields of the key are laid out anew in the middle of levels.
  expect_same_graph(cube_options(), cube(44, 6'000'000));
  expect_same_graph(cube_options(), cube(44, -6'000'000));
}

TEST(ExploreThreads, ValuesThatOutgrowTheirBytes) {
  // Past 127 and past 32,767 in the middle of levels, with rows beside packed keys and with rows under hashed ones.
  for (const std::int32_t stride : {7, -7, 1500}) {
    expect_same_graph(cube_options(), cube(30, stride));
    ExploreOptions wide = cube_options();
    for (int v = 3; v < 140; ++v) wide.variable_names.push_back("v" + std::to_string(v));
    wide.initial.front().first.resize(140, 0);
    wide.initial.front().first[70] = -100;
    expect_same_graph(wide, cube(30, stride));
    // By changes alone, of which the last one leads furthest.
    expect_same_graph(wide, [stride](State s, TransitionSink& sink) {
      for (std::int32_t v = 0; v < 3; ++v) {
        const VariableChange changes[] = {{70, 0}, {v, stride}};
        if (std::abs(s[v]) < 29 * std::abs(stride)) sink.emit_change(changes, 1.0, {});
      }
    });
  }
}

TEST(ExploreThreads, StatesWiderThanAKey) {
  // Three variables over the whole range beside three small ones take more than 128 bits, so keys are hashes.
  ExploreOptions options;
  options.variable_names = {"a", "b", "c", "x", "y", "z"};
  options.initial = {{{0, 0, 0, 0, 0, 0}, 1.0}};
  expect_same_graph(options, [](State s, TransitionSink& sink) {
    if (s[0] == 42 && s[1] == 42 && s[2] == 42) return;
    for (std::int32_t v = 0; v < 3; ++v) {
      if (s[v] == 42) continue;
      std::vector<std::int32_t> to(s.begin(), s.end());
      ++to[v];
      to[3 + v] = static_cast<std::int32_t>(static_cast<std::uint32_t>(to[v]) * 0x9e3779b9U);
      sink.emit(to, 1.0 + v, {});
    }
  });
}

TEST(ExploreThreads, FamiliesAndRules) {
  const auto digests = [](const auto& make) {
    std::set<std::string> found;
    for (const int num_threads : {1, 2, 5}) {
#ifdef _OPENMP
      omp_set_num_threads(num_threads);
#endif
      found.insert(digest(make()));
    }
    return found.size();
  };
#ifdef _OPENMP
  const int before = omp_get_max_threads();
#endif
  const std::int32_t demes[] = {14, 0}, three[] = {60, 0, 0};
  EXPECT_EQ(digests([] { return coalescent_blocks(36); }), 1U);
  EXPECT_EQ(digests([&] { return structured_coalescent_blocks(demes); }), 1U);
  EXPECT_EQ(digests([&] { return structured_coalescent(three); }), 1U);
  EXPECT_EQ(digests([] { return two_locus(7); }), 1U);
  EXPECT_EQ(digests([] {
              return parse_model(
                  "schema: sojourn/model/1\nparameters: [c, m]\n"
                  "variables: {a: {initial: 60}, b: {initial: 0}, d: {initial: 0}}\n"
                  "rules:\n"
                  " - {when: a >= 1 && a + b + d >= 2, rate: c * a, effect: {a: a-1}}\n"
                  " - {when: a >= 1, rate: m * a, effect: {a: a-1, b: b+1}}\n"
                  " - {when: a >= 1, rate: m * a, effect: {a: a-1, d: d+1}}\n"
                  " - {when: b >= 1, rate: m * b, effect: {a: a+1, b: b-1}}\n"
                  " - {when: d >= 1, rate: m * d, effect: {a: a+1, d: d-1}}\n"
                  "absorbing: a + b + d == 1\nrewards: {a: 'a + 1', both: 'a * b + 1'}\n",
                  "rules");
            }),
            1U);
#ifdef _OPENMP
  omp_set_num_threads(before);
#endif
}

TEST(ExploreThreads, OneThreadCallsUnlessToldOtherwise) {
  ExploreOptions options = cube_options();
  options.rewards.clear();
  options.num_threads = 4;
  std::set<std::thread::id> threads;
  std::map<std::vector<std::int32_t>, int> calls;
  const StateGraph graph = explore(options, [&, inner = cube(24, 1)](State s, TransitionSink& sink) mutable {
    threads.insert(std::this_thread::get_id());
    ++calls[{s.begin(), s.end()}];
    inner(s, sink);
  });
  EXPECT_EQ(threads, std::set{std::this_thread::get_id()});
  EXPECT_EQ(calls.size(), static_cast<std::size_t>(graph.num_states()));
  for (const auto& [state, count] : calls) EXPECT_EQ(count, 1);
}

TEST(ExploreThreads, ErrorsAreThoseOfOneThread) {
  const auto message = [](ExploreOptions options, const TransitionFunction& transitions, std::int32_t num_threads) {
    options.concurrent = true;
    options.num_threads = num_threads;
    try {
      (void)explore(options, transitions);
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto expect_same = [&](const ExploreOptions& options, const TransitionFunction& transitions, const char* part) {
    const std::string alone = message(options, transitions, 1);
    EXPECT_THAT(alone, HasSubstr(part));
    EXPECT_EQ(message(options, transitions, 4), alone);
  };
  ExploreOptions options = cube_options();
  options.max_states = 100'000;
  // In the middle of the cube, where some 1,200 states wait and several threads are at work.
  const auto spoilt = [](std::int32_t from, auto spoil) {
    return [from, spoil, inner = cube(40, 1)](State s, TransitionSink& sink) mutable {
      inner(s, sink);
      if (s[0] + s[1] + s[2] >= from) spoil(s, sink);
    };
  };
  expect_same(options, spoilt(58, [](State, TransitionSink&) { throw std::runtime_error("of the callback"); }),
              "of the callback");
  expect_same(options, spoilt(58, [](State s, TransitionSink& sink) { sink.emit(s.first(2), 1.0, {}); }), "2 values");
  expect_same(options,
              spoilt(58,
                     [](State, TransitionSink& sink) {
                       const VariableChange change{3, 1};
                       sink.emit_change({&change, 1}, 1.0, {});
                     }),
              "variable 3");
  expect_same(options, spoilt(58, [](State s, TransitionSink& sink) { sink.emit(s, 1.0, {}); }), "self-loop");
  expect_same(options,
              spoilt(58,
                     [](State, TransitionSink& sink) {
                       for (std::int32_t to = 1000;; ++to) {
                         const std::int32_t row[] = {to, 0, 0};
                         sink.emit(row, 1.0, {});
                       }
                     }),
              "state limit");
  options.max_states = 40'000;
  expect_same(options, cube(40, 1), "state limit 40000");
  options.max_states = 64'000;
  EXPECT_EQ(message(options, cube(40, 1), 4), "no error");
}

TEST(ExploreThreads, ChangesAreChecked) {
  ExploreOptions options;
  options.variable_names = {"x"};
  options.initial = {{{2'000'000'000}, 1.0}};
  const auto change_by = [&](std::int32_t variable, std::int32_t delta) {
    try {
      (void)explore(options, [&](State s, TransitionSink& sink) {
        const VariableChange change{variable, delta};
        if (s[0] == 2'000'000'000) sink.emit_change({&change, 1}, 1.0, {});
      });
    } catch (const ModelError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(change_by(0, -1), "no error");
  EXPECT_THAT(change_by(0, 1'000'000'000), HasSubstr("x = 3000000000 is out of range"));
  EXPECT_THAT(change_by(0, 0), HasSubstr("self-loop"));
  EXPECT_THAT(change_by(-1, 1), HasSubstr("variable -1"));
}

/// Puts the limit of memory back.
class MemoryLimit {
 public:
  explicit MemoryLimit(std::int64_t bytes) { set_memory_limit(bytes); }
  ~MemoryLimit() { set_memory_limit(0); }
};

TEST(Memory, WhatCannotFitIsRefused) {
  const auto error_of = [](const auto& make) {
    try {
      (void)make();
    } catch (const ModelError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  {
    const MemoryLimit limit(1);  // less than the process holds already
    EXPECT_EQ(memory_left(), 0);
    EXPECT_THAT(error_of([] { return explore(cube_options(), cube(4, 1)); }),
                testing::AllOf(HasSubstr("do not fit in memory"), HasSubstr("--max-memory")));
    EXPECT_THAT(error_of([] { return birth_death(1'000'000, 1, false); }),
                testing::AllOf(HasSubstr("1e+06 states"), HasSubstr("--max-memory")));
  }
  EXPECT_GT(memory_left(), 0);
  EXPECT_EQ(error_of([] { return explore(cube_options(), cube(4, 1)); }), "no error");
}

TEST(Memory, Sizes) {
  EXPECT_EQ(parse_memory_size("1000000"), 1'000'000);
  EXPECT_EQ(parse_memory_size("24GiB"), 24LL << 30);
  EXPECT_EQ(parse_memory_size("24G"), 24LL << 30);
  EXPECT_EQ(parse_memory_size("1.5MB"), 3LL << 19);
  EXPECT_EQ(parse_memory_size("2K"), 2048);
  EXPECT_EQ(parse_memory_size("7B"), 7);
  for (const char* text : {"", "G", "-1", "1X", "1GiBs", "1e30T", "nan", "1 G"})
    EXPECT_EQ(parse_memory_size(text), -1) << text;
}

TEST(Memory, SizesAreShownInTheUnitThatFits) {
  EXPECT_EQ(format_bytes(512), "512 bytes");
  EXPECT_EQ(format_bytes(1010.0 * 1024), "0.986 MiB");  // never 1.01e+03 KiB
  EXPECT_EQ(format_bytes(3.2 * 1024 * 1024), "3.2 MiB");
}

}  // namespace
}  // namespace sojourn
