#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <limits>
#include <random>
#include <set>

#include "elimination/cache_folder.hpp"
#include "elimination/component_factors.hpp"
#include "elimination/entry_format.hpp"
#include "elimination_cases.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/error.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

namespace fs = std::filesystem;

StateGraph two_demes(std::int32_t half) {
  const std::vector<std::int32_t> samples{half, half};
  return structured_coalescent_blocks(samples).graph;
}

/// A queue that is one component of `size` states.
StateGraph queue(std::int32_t size, double base = 0) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(size + 1);
  const RateTerm up{0, 1.0}, down{1, 2.0};
  for (std::int32_t i = 1; i <= size; ++i) {
    builder.add_edge(i, i - 1, base, {&down, 1});
    if (i < size) builder.add_edge(i, i + 1, 0, {&up, 1});
  }
  builder.add_initial(1, 1);
  return std::move(builder).build();
}

/// What an elimination without any cache gives.
std::vector<unsigned char> uncached(const StateGraph& graph) {
  const EliminationSettings settings = elimination_settings();
  EliminationSettings off = settings;
  off.cache = CacheMode::kOff;
  configure_elimination(off);
  std::vector<unsigned char> content = content_of(eliminate(graph));
  configure_elimination(settings);
  return content;
}

TEST_F(CacheTest, SecondEliminationReadsEverythingAndGivesTheSameBytes) {
  for (const StateGraph& graph : {two_demes(4), oracle::zoo_dense_random(40).graph, queue(500), two_locus(5).graph,
                                  coalescent_blocks(12).graph}) {
    use(CacheMode::kAuto);
    const std::vector<unsigned char> expected = uncached(graph);
    std::vector<unsigned char> first, second;
    const EliminationCounters cold = counted([&] { first = content_of(eliminate(graph)); });
    const EliminationCounters warm = counted([&] { second = content_of(eliminate(graph)); });
    EXPECT_EQ(first, expected);
    EXPECT_EQ(second, expected);
    EXPECT_EQ(warm.components_computed, 0);
    EXPECT_EQ(warm.cache_hits, cold.cache_writes + cold.cache_hits);
    EXPECT_EQ(warm.cache_writes, 0);
  }
  EXPECT_TRUE(warnings_.empty()) << warnings_.front();
}

TEST_F(CacheTest, GraphsWithTheSameComponentShareItsEntryWhateverTheirWeights) {
  // The same queue with other weights behind another state: rates, coefficients and row numbers differ.
  StateGraphBuilder builder(TimeKind::kContinuous, 3);
  builder.ensure_states(53);
  const RateTerm a{2, 0.25}, b{0, 3.0}, c{1, -0.5};
  builder.add_edge(0, 21, 1, {});
  for (std::int32_t i = 1; i <= 50; ++i) {
    builder.add_edge(i, i == 1 ? 51 : i - 1, i == 7 ? 1.0 : 0.0, {i == 7 ? &c : &a, 1});
    if (i < 50) builder.add_edge(i, i + 1, 0, {&b, 1});
  }
  builder.add_edge(51, 52, 1, {});
  builder.add_initial(0, 1);
  const StateGraph other = std::move(builder).build();
  const std::vector<unsigned char> expected = uncached(other);
  eliminate(queue(50));
  ASSERT_EQ(entries().size(), 1U);
  std::vector<unsigned char> content;
  const EliminationCounters shared = counted([&] { content = content_of(eliminate(other)); });
  EXPECT_EQ(shared.cache_hits, 1);
  EXPECT_EQ(shared.components_computed, 0);
  EXPECT_EQ(entries().size(), 1U);
  EXPECT_EQ(content, expected);
}

TEST_F(CacheTest, ComponentsOfOneGraphWithOnePatternAreEliminatedOnce) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  constexpr std::int32_t kPairs = 100;
  builder.ensure_states(2 * kPairs + 1);
  const RateTerm unit{0, 1.0};
  for (std::int32_t k = 0; k < kPairs; ++k) {
    builder.add_edge(2 * k, 2 * k + 1, 0, {&unit, 1});
    builder.add_edge(2 * k + 1, 2 * k, 0.1 * k, {&unit, 1});
    builder.add_edge(2 * k + 1, 2 * k + 2, 0.5, {});
  }
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  const EliminationCounters counters = counted([&] { eliminate(graph); });
  EXPECT_EQ(counters.components_computed, 1);
  EXPECT_EQ(counters.components_shared, kPairs - 1);
}

TEST_F(CacheTest, SmallComponentsStayOut) {
  use(CacheMode::kAuto, 51);
  eliminate(queue(50));
  EXPECT_TRUE(entries().empty());
  eliminate(queue(51));
  EXPECT_EQ(entries().size(), 1U);
}

/// Runs an elimination against a changed entry: refused with one warning, put away, written anew, same bytes.
class DamageTest : public CacheTest {
 protected:
  void SetUp() override {
    CacheTest::SetUp();
    expected_ = uncached(graph_);
    eliminate(graph_);
    ASSERT_EQ(entries().size(), 1U);
    path_ = entries()[0];
    whole_ = bytes_of(path_);
  }
  void expect_refused(const std::string& what) {
    use(CacheMode::kAuto);
    warnings_.clear();
    std::vector<unsigned char> content;
    const EliminationCounters counters = counted([&] { content = content_of(eliminate(graph_)); });
    EXPECT_EQ(counters.cache_rejects, 1) << what;
    EXPECT_EQ(warnings_.size(), 1U) << what;
    ASSERT_EQ(content, expected_) << what;
    ASSERT_EQ(bytes_of(path_), whole_) << what << ": not written anew";
  }
  std::size_t num_quarantined() const {
    const fs::path folder = root_ + "/quarantine";
    return fs::exists(folder) ? std::distance(fs::directory_iterator(folder), {}) : 0;
  }
  void replace(const std::vector<unsigned char>& bytes) {
    fs::remove_all(path_);
    write(path_, bytes);
  }

  const StateGraph graph_ = oracle::zoo_dense_random(14).graph;
  std::vector<unsigned char> expected_, whole_;
  fs::path path_;
};

TEST_F(DamageTest, AnyBitFlipped) {
  std::mt19937_64 random(4);
  for (std::size_t byte = 0; byte < whole_.size(); byte += byte < sizeof(EntryHeader) ? 1 : 7) {
    std::vector<unsigned char> bytes = whole_;
    bytes[byte] ^= 1U << (random() % 8);
    replace(bytes);
    expect_refused("byte " + std::to_string(byte));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(num_quarantined(), sizeof(EntryHeader));
}

TEST_F(DamageTest, CutAnywhereOrTooLong) {
  for (std::size_t size = 0; size < whole_.size(); size += size < 100 ? 1 : 61) {
    replace({whole_.begin(), whole_.begin() + static_cast<std::ptrdiff_t>(size)});
    expect_refused("cut to " + std::to_string(size));
    if (HasFatalFailure()) return;
  }
  std::vector<unsigned char> longer = whole_;
  longer.push_back(0);
  replace(longer);
  expect_refused("one byte too many");
}

TEST_F(DamageTest, NewerSchemaAndOtherKeyWithRightChecksums) {
  std::vector<unsigned char> bytes = whole_;
  bytes[offsetof(EntryHeader, schema)] = 2;
  seal_entry(bytes);
  replace(bytes);
  expect_refused("newer schema");
  EXPECT_NE(warnings_[0].find("newer"), std::string::npos) << warnings_[0];
  bytes = whole_;
  bytes[offsetof(EntryHeader, key_low)] ^= 1;
  seal_entry(bytes);
  replace(bytes);
  expect_refused("other key");
}

/// Two entries change places: each is whole, and carries the key of its name once that is forged too.
TEST_F(DamageTest, EntryOfAnotherComponentWithForgedKey) {
  const StateGraph other = oracle::zoo_dense_random(15).graph;
  eliminate(other);
  ASSERT_EQ(entries().size(), 2U);
  const fs::path other_path = entries()[0] == path_ ? entries()[1] : entries()[0];
  std::vector<unsigned char> forged = bytes_of(other_path);
  replace(forged);
  expect_refused("swapped");
  std::memcpy(forged.data() + offsetof(EntryHeader, key_high), whole_.data() + offsetof(EntryHeader, key_high), 16);
  seal_entry(forged);
  replace(forged);
  expect_refused("swapped, key forged");
  EXPECT_NE(warnings_[0].find("another component"), std::string::npos) << warnings_[0];
}

/// Every number of the payload, changed under a right checksum: out of range, off by one, swapped with its neighbour.
TEST_F(DamageTest, AnyNumberChangedUnderARightChecksum) {
  constexpr std::size_t kWord = sizeof(std::int32_t);
  const auto number = [&](std::size_t k) {
    std::int32_t value;
    std::memcpy(&value, whole_.data() + sizeof(EntryHeader) + k * kWord, kWord);
    return value;
  };
  const std::size_t num_numbers = (whole_.size() - sizeof(EntryHeader)) / kWord;
  const std::vector<std::int32_t> shifts{-1, 1, 1 << 30, std::numeric_limits<std::int32_t>::min()};
  for (std::size_t k = 0; k < num_numbers; k += k < 300 ? 1 : 5) {
    for (const std::int32_t shift : shifts) {
      std::vector<unsigned char> bytes = whole_;
      const auto value =
          static_cast<std::int32_t>(static_cast<std::uint32_t>(number(k)) + static_cast<std::uint32_t>(shift));
      std::memcpy(bytes.data() + sizeof(EntryHeader) + k * kWord, &value, kWord);
      seal_entry(bytes);
      replace(bytes);
      expect_refused("number " + std::to_string(k) + " shifted by " + std::to_string(shift));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(DamageTest, EveryHeaderNumberChangedUnderARightChecksum) {
  for (std::size_t offset = 0; offset < offsetof(EntryHeader, checksum_high); offset += 4) {
    for (const unsigned char flip : {1, 255}) {
      std::vector<unsigned char> bytes = whole_;
      bytes[offset] ^= flip;
      seal_entry(bytes);
      replace(bytes);
      expect_refused("header byte " + std::to_string(offset));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(DamageTest, WhatIsNoPlainFile) {
  fs::remove(path_);
  fs::create_directory(path_);
  expect_refused("a folder");
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  expect_refused("a pipe that nobody writes to");
  fs::remove(path_);
  fs::create_symlink("/dev/zero", path_);
  expect_refused("a link to something endless");
}

TEST_F(DamageTest, VerifyNamesWhatIsDamagedAndClearRemovesAllOfOursAndNothingElse) {
  EXPECT_EQ(verify_cache(root_).entries[0].fault, "");
  std::vector<unsigned char> bytes = whole_;
  bytes.back() ^= 1;
  replace(bytes);
  EXPECT_EQ(list_cache(root_).entries[0].fault, "");  // headers only
  EXPECT_NE(verify_cache(root_).entries[0].fault, "");
  // A valid factor in another order: nothing is out of range and the fill is exact, yet it is not the one computed.
  const Components components = strongly_connected_components(graph_);
  PatternIndex patterns;
  index_patterns(graph_, components, list_states(components), patterns);
  ComponentPattern turned = patterns.pattern(0);
  SymbolicFactor factor = factor_symbolically(turned, 1 << 20);
  std::swap(factor.order[0], factor.order[1]);
  ASSERT_EQ(fault_of(factor, turned), "");
  replace(encode_entry(patterns.key(0), turned, factor));
  EXPECT_NE(verify_cache(root_).entries[0].fault, "");
  replace(bytes);
  expect_refused("last byte");
  write(root_ + "/elimination/notes.txt", {1});
  write(root_ + "/elimination/.unfinished-1", {1});
  const CacheContent removed = clear_cache(root_);
  EXPECT_EQ(removed.entries.size(), 1U);
  EXPECT_EQ(removed.num_quarantined, 1);
  EXPECT_EQ(removed.num_unfinished, 1);
  ASSERT_EQ(entries().size(), 1U);
  EXPECT_EQ(entries()[0].filename(), "notes.txt");
  EXPECT_EQ(num_quarantined(), 0U);
}

TEST_F(CacheTest, FoldersThatCannotBeUsedCostOneWarningOrAreRefused) {
  const StateGraph graph = queue(20);
  const std::vector<unsigned char> expected = uncached(graph);
  const auto expect_unused = [&](const std::string& folder, const std::string& pattern) {
    EliminationSettings settings = elimination_settings();
    settings.cache_folder = folder;
    settings.cache = CacheMode::kAuto;
    configure_elimination(settings);
    warnings_.clear();
    EXPECT_EQ(content_of(eliminate(graph)), expected);
    EXPECT_EQ(content_of(eliminate(graph)), expected);
    ASSERT_EQ(warnings_.size(), 1U) << folder;
    EXPECT_NE(warnings_[0].find(pattern), std::string::npos) << warnings_[0];
    settings.cache = CacheMode::kRequire;
    configure_elimination(settings);
    EXPECT_THROW(eliminate(graph), IoError);
    EXPECT_THROW(check_cache_folder(), IoError);
  };
  expect_unused(root_ + "/missing", "no such folder");
  EXPECT_FALSE(fs::exists(root_ + "/missing"));
  write(root_ + "/file", {1});
  expect_unused(root_ + "/file", "no folder");
  expect_unused(root_ + "/file/below", "Not a directory");
  fs::create_directory(root_ + "/open");
  fs::permissions(root_ + "/open", fs::perms::all);
  expect_unused(root_ + "/open", "everyone may write");
  fs::create_directory(root_ + "/closed");
  fs::permissions(root_ + "/closed", fs::perms::owner_read | fs::perms::owner_exec);
  expect_unused(root_ + "/closed", "read-only");
  fs::create_directories(root_ + "/inner/elimination");
  fs::permissions(root_ + "/inner/elimination", fs::perms::all);
  expect_unused(root_ + "/inner", "everyone may write");
}

/// A limit on the size of files stands in for a full disk: the write stops part of the way.
TEST_F(CacheTest, AWriteThatFailsLeavesNothingAndTheResultStands) {
  const StateGraph graph = queue(5000);
  const std::vector<unsigned char> expected = uncached(graph);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::vector<unsigned char> content = content_of(eliminate(graph));
  use(CacheMode::kRequire);
  EXPECT_THROW(eliminate(graph), IoError);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(content, expected);
  EXPECT_EQ(warnings_.size(), 1U);
  EXPECT_TRUE(entries().empty());
}

TEST_F(CacheTest, ThirtyTwoProcessesWriteOneKeyAtOnce) {
  const StateGraph graph = queue(3000);
  const std::vector<unsigned char> expected = uncached(graph);
  EliminationSettings alone = elimination_settings();
  alone.parallel = false;
  configure_elimination(alone);
  eliminate(graph);
  const fs::path entry = entries().at(0);
  fs::remove(entry);
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  std::vector<pid_t> children;
  for (int k = 0; k < 32; ++k) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(gate[1]);
      char end;
      [[maybe_unused]] const ssize_t count = ::read(gate[0], &end, 1);  // until the parent closes the gate
      bool good = true;
      for (int round = 0; round < 5 && good; ++round) {
        // Each round removes the entry under the others, so that all of them write and read throughout.
        good = content_of(eliminate(graph)) == expected;
        if (round < 4) fs::remove(entry);
      }
      ::_exit(good && elimination_counters().cache_rejects == 0 && warnings_.empty() ? 0 : 1);
    }
    children.push_back(child);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  ASSERT_EQ(entries().size(), 1U);
  EXPECT_EQ(verify_cache(root_).entries[0].fault, "");
  const EliminationCounters after = counted([&] { EXPECT_EQ(content_of(eliminate(graph)), expected); });
  EXPECT_EQ(after.cache_hits, 1);
}

TEST_F(CacheTest, UnfinishedFilesOfADayAgoAreSweptAndYoungOnesStay) {
  fs::create_directory(root_ + "/elimination");
  const fs::path old_file = root_ + "/elimination/.unfinished-old", young = root_ + "/elimination/.unfinished-young";
  write(old_file, {1});
  write(young, {1});
  fs::last_write_time(old_file, fs::file_time_type::clock::now() - std::chrono::hours(25));
  use(CacheMode::kAuto);
  eliminate(queue(20));
  EXPECT_FALSE(fs::exists(old_file));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_EQ(list_cache(root_).entries.size(), 1U);
  EXPECT_EQ(list_cache(root_).num_unfinished, 1);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(CacheTest, PartsOfAPrecomputeDoEverythingOnce) {
  const StateGraph small = two_demes(3), large = two_demes(4);
  const std::vector<const StateGraph*> graphs{&small, &large};
  std::int64_t num_new = 0;
  for (const std::int32_t index : {2, 0, 1}) {
    const std::vector<PrecomputeReport> reports = precompute(graphs, {index, 3});
    for (const PrecomputeReport& report : reports) {
      num_new += report.num_new;
      EXPECT_EQ(report.num_new + report.num_present + report.num_elsewhere, report.num_patterns);
    }
    if (index == 1) {
      EXPECT_EQ(reports[0].num_elsewhere + reports[1].num_elsewhere, 0);  // the last one finds all of the others'
    }
  }
  EXPECT_EQ(num_new, std::ssize(entries()));
  EXPECT_GT(num_new, 3);
  const std::vector<PrecomputeReport> again = precompute(graphs);
  EXPECT_EQ(again[0].num_new + again[1].num_new, 0);
  const EliminationCounters counters = counted([&] { eliminate(large); });
  EXPECT_EQ(counters.components_computed, 0);
  EXPECT_THROW(precompute(graphs, {3, 3}), UsageError);
  use(CacheMode::kOff);
  EXPECT_THROW(precompute(graphs), UsageError);
}

/// Explores with the text of one function and the number it captured.
StateGraph explored_with(double captured, std::int32_t capacity) {
  ExploreOptions options;
  options.variable_names = {"n"};
  options.initial = {{{1}, 1.0}};
  return explore(options, [=](std::span<const std::int32_t> state, TransitionSink& sink) {
    if (state[0] == 0) return;
    const std::int32_t down = state[0] - 1, up = state[0] + 1;
    const RateTerm rate{0, captured};
    sink.emit({&down, 1}, 0, {&rate, 1});
    if (state[0] < capacity) sink.emit({&up, 1}, 1, {});
  });
}

/// The poison of a cache keyed by source text: the same text, another captured number.
TEST_F(CacheTest, CallbacksOfOneTextWithOtherCapturesNeverShareAGraph) {
  const StateGraph one = explored_with(1.0, 30), two = explored_with(2.0, 30), longer = explored_with(1.0, 31);
  const StateGraph again = explored_with(1.0, 30);
  const std::vector<unsigned char> expected_two = uncached(two), expected_longer = uncached(longer);
  const Prc held = eliminate(one);
  const EliminationCounters equal = counted([&] { EXPECT_EQ(&eliminate(again).arrays(), &held.arrays()); });
  EXPECT_EQ(equal.graphs_reused, 1);
  EXPECT_EQ(equal.eliminations, 0);
  const EliminationCounters others = counted([&] {
    EXPECT_EQ(content_of(eliminate(two)), expected_two);
    EXPECT_EQ(content_of(eliminate(longer)), expected_longer);
  });
  EXPECT_EQ(others.graphs_reused, 0);
  EXPECT_EQ(others.eliminations, 2);
  EXPECT_NE(content_of(held), expected_two);
}

TEST_F(CacheTest, AGraphIsFoundOnlyWhileItsEliminationIsHeldAndWithinTheLimit) {
  const StateGraph graph = oracle::zoo_dense_random(30).graph;
  eliminate(graph);
  EXPECT_EQ(counted([&] { eliminate(graph); }).graphs_reused, 0);
  const Prc held = eliminate(graph);
  EXPECT_EQ(counted([&] { eliminate(graph); }).graphs_reused, 1);
  EXPECT_THROW(eliminate(graph, /*max_bytes=*/1000), ModelError);
}

/// Whatever enters the elimination enters the key.
TEST(GraphKey, EveryPartOfTheGraphCounts) {
  const auto build = [](std::int32_t num_rates, double base, double coefficient, std::int32_t rate, std::int32_t to,
                        double start) {
    StateGraphBuilder builder(TimeKind::kContinuous, num_rates);
    builder.ensure_states(4);
    const RateTerm term{rate, coefficient}, unit{0, 1.0};
    builder.add_edge(0, to, base, {&term, 1});
    builder.add_edge(1, 3, 0, {&unit, 1});
    builder.add_edge(2, 3, 0, {&unit, 1});
    builder.add_initial(0, start);
    return key_of(std::move(builder).build()).hex();
  };
  const std::set<std::string> keys{build(2, 1, 1, 0, 1, 1),  build(3, 1, 1, 0, 1, 1), build(2, 2, 1, 0, 1, 1),
                                   build(2, 1, 2, 0, 1, 1),  build(2, 1, 1, 1, 1, 1), build(2, 1, 1, 0, 2, 1),
                                   build(2, 1, 1, 0, 1, 0.5)};
  EXPECT_EQ(keys.size(), 7U);
  EXPECT_EQ(build(2, 0.0, 1, 0, 1, 1), build(2, -0.0, 1, 0, 1, 1));
}

}  // namespace
}  // namespace sojourn
