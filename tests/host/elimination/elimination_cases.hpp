#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "elimination/prc_arrays.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {

/// A cache folder of its own for each test, and the settings of the process as they were after it.
class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "sojourn-cache-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    use(CacheMode::kAuto);
  }
  void TearDown() override {
    EliminationSettings off;
    off.cache = CacheMode::kOff;
    configure_elimination(off);
    std::filesystem::permissions(root_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(root_);
  }
  void use(CacheMode mode, std::int32_t min_states = 2) {
    EliminationSettings settings;
    settings.cache = mode;
    settings.cache_folder = root_;
    settings.min_states_to_cache = min_states;
    settings.num_threads = 2;
    settings.warn = [this](const std::string& message) { warnings_.push_back(message); };
    configure_elimination(settings);
  }
  std::vector<std::filesystem::path> entries() const {
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::exists(root_ + "/elimination")) return files;
    for (const auto& item : std::filesystem::directory_iterator(root_ + "/elimination")) files.push_back(item.path());
    std::sort(files.begin(), files.end());
    return files;
  }
  static std::vector<unsigned char> bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void write(const std::filesystem::path& path, const std::vector<unsigned char>& bytes) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  }

  std::string root_;
  std::vector<std::string> warnings_;
};

/// What an action adds to a counter.
template <class Action>
EliminationCounters counted(Action&& action) {
  const EliminationCounters before = elimination_counters();
  action();
  EliminationCounters after = elimination_counters();
  after.eliminations -= before.eliminations;
  after.graphs_reused -= before.graphs_reused;
  after.components_computed -= before.components_computed;
  after.components_shared -= before.components_shared;
  after.cache_hits -= before.cache_hits;
  after.cache_misses -= before.cache_misses;
  after.cache_writes -= before.cache_writes;
  after.cache_rejects -= before.cache_rejects;
  return after;
}

/// All arrays of a program as bytes, field by field (padding between fields is not content).
inline std::vector<unsigned char> content_of(const Prc& prc) {
  std::vector<unsigned char> bytes;
  const auto put = [&](const auto&... values) {
    const auto one = [&](const auto& value) {
      const auto* first = reinterpret_cast<const unsigned char*>(&value);
      bytes.insert(bytes.end(), first, first + sizeof value);
    };
    (one(values), ...);
  };
  const auto each = [&](const auto& values, auto&& visit) {
    put(values.size());
    for (const auto& value : values) visit(value);
  };
  const PrcArrays& a = prc.arrays();
  put(a.num_rates, a.num_value_slots, a.cost.num_transient, a.cost.num_components, a.cost.largest_component,
      a.cost.num_levels, a.cost.factor_multiply_adds, a.cost.solve_multiply_adds, a.cost.num_slots, a.cost.bytes);
  each(a.forms, [&](const PrcForm& x) { put(x.term_begin, x.term_end); });
  each(a.form_terms, [&](const PrcFormTerm& x) { put(x.rate, x.coefficient); });
  each(a.components, [&](const PrcComponent& x) {
    put(x.row_begin, x.row_end, x.entry_begin, x.entry_end, x.reference, x.direct_begin, x.more_begin, x.sum_begin,
        x.pair_begin, x.front_begin, x.front_end);
  });
  each(a.rows, [&](const PrcRow& x) {
    put(x.group_begin, x.group_middle, x.group_end, x.entry_begin, x.entry_middle, x.entry_end, x.arrival_begin,
        x.arrival_end, x.sum_end);
  });
  for (const auto* groups : {&a.groups, &a.arrivals})
    each(*groups, [&](const PrcGroup& x) {
      put(x.rate, x.internal, x.term_begin, x.term_end, x.absorbing, x.total, x.inverse_total);
    });
  for (const auto* terms : {&a.terms, &a.arrival_terms})
    each(*terms, [&](const PrcTerm& x) { put(x.coefficient, x.column, x.slot); });
  each(a.entry_column, put);
  each(a.entry_slot, put);
  each(a.sums, [&](const PrcSum& x) { put(x.coefficient, x.rate, x.slot, x.num_pairs); });
  each(a.pairs, [&](const PrcPair& x) { put(x.a, x.b); });
  each(a.fronts, [&](const PrcFront& x) {
    put(x.row_begin, x.row_end, x.num_lower, x.num_upper, x.lower_begin, x.target_begin);
  });
  each(a.front_slots, put);
  each(a.value_slot, put);
  each(a.state_of_row, put);
  each(a.row_of_state, put);
  each(a.alpha, put);
  return bytes;
}

/// Multiply-adds of a front: its own rows, those below in its columns, and what it passes on but to the diagonal.
inline std::int64_t multiply_adds_of(const PrcFront& front, const std::vector<std::uint32_t>& slots) {
  const std::int64_t size = front.row_end - front.row_begin;
  std::int64_t sum = 0;
  for (std::int64_t k = 0; k < size; ++k) {
    // Entry (k, column) takes a product of each of the front's rows before both.
    for (std::int64_t j = 0; j < k; ++j) sum += j;
    sum += k * (size - 1 - k + front.num_upper) + k * front.num_lower;
  }
  const auto targets = slots.begin() + front.target_begin;
  const std::int64_t num_targets = std::int64_t{front.num_lower} * front.num_upper;
  return sum + size * (num_targets - std::count(targets, targets + num_targets, kNoSlot));
}

}  // namespace sojourn
