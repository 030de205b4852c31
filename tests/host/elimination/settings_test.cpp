#include <cstdlib>
#include <map>
#include <optional>

#include "elimination/cache_folder.hpp"
#include "elimination/elimination_state.hpp"
#include "elimination_cases.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

/// Sets variables and puts back what was there.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
      const char* before = std::getenv(name.c_str());
      before_[name] = before == nullptr ? std::nullopt : std::optional<std::string>(before);
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_)
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

TEST(EliminationSettings, EachVariableSetsItsField) {
  const Environment environment({{"SOJOURN_PARALLEL_ELIMINATION", "0"},
                                 {"SOJOURN_MAX_PARALLEL_SCCS", "3"},
                                 {"SOJOURN_MIN_SCC_SIZE_TO_CACHE", "17"},
                                 {"SOJOURN_CACHE_DIR", "/some/where"},
                                 {"SOJOURN_DISABLE_CACHE", "1"}});
  const EliminationSettings settings = elimination_settings_from_environment();
  EXPECT_FALSE(settings.parallel);
  EXPECT_EQ(settings.max_parallel_components, 3);
  EXPECT_EQ(settings.min_states_to_cache, 17);
  EXPECT_EQ(settings.cache_folder, "/some/where");
  EXPECT_EQ(settings.cache, CacheMode::kOff);
}

TEST(EliminationSettings, EmptyIsUnset) {
  const Environment environment({{"SOJOURN_PARALLEL_ELIMINATION", ""},
                                 {"SOJOURN_MAX_PARALLEL_SCCS", ""},
                                 {"SOJOURN_MIN_SCC_SIZE_TO_CACHE", ""},
                                 {"SOJOURN_CACHE_DIR", ""},
                                 {"SOJOURN_DISABLE_CACHE", "0"}});
  const EliminationSettings settings = elimination_settings_from_environment();
  EXPECT_TRUE(settings.parallel);
  EXPECT_EQ(settings.max_parallel_components, 0);
  EXPECT_EQ(settings.cache, CacheMode::kAuto);
}

TEST(EliminationSettings, BadValuesNameTheVariable) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"SOJOURN_PARALLEL_ELIMINATION", "yes"},
                                                                      {"SOJOURN_MAX_PARALLEL_SCCS", "0"},
                                                                      {"SOJOURN_MIN_SCC_SIZE_TO_CACHE", "1e3"},
                                                                      {"SOJOURN_DISABLE_CACHE", "2"}}) {
    const Environment environment(std::map<std::string, std::string>{{name, value}});
    try {
      elimination_settings_from_environment();
      ADD_FAILURE() << name;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(name + "='" + value + "'"), std::string::npos) << error.what();
    }
  }
}

TEST(EliminationSettings, DefaultFolderFollowsTheBaseDirectorySpecification) {
  {
    const Environment environment({{"XDG_CACHE_HOME", "/caches"}, {"HOME", "/home/one"}});
    EXPECT_EQ(default_cache_folder(), "/caches/sojourn");
  }
  {
    const Environment environment({{"XDG_CACHE_HOME", "relative"}, {"HOME", "/home/one"}});
    EXPECT_EQ(default_cache_folder(), "/home/one/.cache/sojourn");
  }
  const Environment environment({{"XDG_CACHE_HOME", ""}, {"HOME", ""}});
  EXPECT_EQ(default_cache_folder(), "");
}

/// Large enough that threads are worth their start.
StateGraph many_components() {
  const std::vector<std::int32_t> samples{7, 7};
  return structured_coalescent_blocks(samples).graph;
}

TEST_F(CacheTest, ThreadsAndCapsDoNotChangeABit) {
  const StateGraph graph = many_components();
  std::vector<unsigned char> expected;
  for (const std::int32_t threads : {1, 2, 5, 16}) {
    for (const std::int32_t cap : {0, 1, 3}) {
      EliminationSettings settings;
      settings.cache = CacheMode::kOff;
      settings.num_threads = threads;
      settings.max_parallel_components = cap;
      configure_elimination(settings);
      EliminationState::instance().counters.most_at_once = 0;
      const std::vector<unsigned char> content = content_of(eliminate(graph));
      if (expected.empty()) expected = content;
      EXPECT_EQ(content, expected) << threads << ' ' << cap;
      EXPECT_LE(elimination_counters().most_at_once, cap > 0 ? std::min(cap, threads) : threads);
    }
  }
  EliminationSettings settings;
  settings.cache = CacheMode::kOff;
  settings.parallel = false;
  settings.num_threads = 16;
  configure_elimination(settings);
  EliminationState::instance().counters.most_at_once = 0;
  EXPECT_EQ(content_of(eliminate(graph)), expected);
  EXPECT_EQ(elimination_counters().most_at_once, 1);
}

/// The trace lists every pattern with its level and thread; two threads both get some.
TEST_F(CacheTest, TraceShowsLevelsThreadsAndTheCap) {
  const StateGraph graph = many_components();
  std::vector<ComponentTrace> traces;
  EliminationSettings settings;
  settings.cache = CacheMode::kOff;
  settings.num_threads = 4;
  settings.max_parallel_components = 2;
  settings.trace = [&](const ComponentTrace& trace) { traces.push_back(trace); };
  configure_elimination(settings);
  const Prc prc = eliminate(graph);
  ASSERT_GT(traces.size(), 10U);
  std::int64_t num_traced = 0, deepest = 0;
  std::map<std::int32_t, int> on_level;
  for (const ComponentTrace& trace : traces) {
    num_traced += trace.num_shared;
    EXPECT_GE(trace.thread, 0);
    EXPECT_LT(trace.thread, 2);
    EXPECT_GE(trace.level, 1);
    EXPECT_FALSE(trace.from_cache);
    deepest = std::max<std::int64_t>(deepest, trace.level);
    ++on_level[trace.level];
  }
  std::int64_t num_large = 0;
  for (const PrcComponent& component : prc.arrays().components)
    num_large += component.row_end - component.row_begin > 1;
  EXPECT_EQ(num_traced, num_large);
  EXPECT_LE(deepest, prc.cost().num_levels);
  EXPECT_GT(
      std::max_element(on_level.begin(), on_level.end(), [](auto& x, auto& y) { return x.second < y.second; })->second,
      1);
}

}  // namespace
}  // namespace sojourn
