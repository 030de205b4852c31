#include <algorithm>
#include <chrono>
#include <numeric>

#include "concurrent.hpp"
#include "elimination/component_factors.hpp"
#include "elimination/entry_format.hpp"
#include "expects.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

/// One pattern of the call: which graph brought it first and what became of it.
struct Unit {
  std::int32_t pattern = 0;
  std::size_t graph = 0;
  enum class Outcome { kNew, kPresent, kElsewhere } outcome = Outcome::kElsewhere;
  std::int64_t bytes = 0;
  double seconds = 0;
};

/// Units by falling size, ties by key: every part lists the same order, whatever graphs it was given them in.
void sort_units(std::vector<Unit>& units, const PatternIndex& patterns) {
  std::sort(units.begin(), units.end(), [&](const Unit& x, const Unit& y) {
    const std::int32_t a = patterns.pattern(x.pattern).num_states(), b = patterns.pattern(y.pattern).num_states();
    return a != b ? a > b : patterns.key(x.pattern) < patterns.key(y.pattern);
  });
}

}  // namespace

std::vector<PrecomputeReport> precompute(std::span<const StateGraph* const> graphs, PrecomputePart part) {
  EliminationState& state = EliminationState::instance();
  const EliminationSettings settings = state.settings();
  SOJOURN_EXPECTS(part.count >= 1 && part.index >= 0 && part.index < part.count, UsageError,
                  "precompute: part {} of {} is out of range; parts run from 1 to their number", part.index + 1,
                  part.count);
  SOJOURN_EXPECTS(settings.cache != CacheMode::kOff, UsageError,
                  "precompute fills the cache, but the cache is switched off; unset SOJOURN_DISABLE_CACHE");
  const std::shared_ptr<const CacheFolder> folder = state.made_cache_folder();
  const FactorSource source(folder);

  std::vector<PrecomputeReport> reports(graphs.size());
  PatternIndex patterns;
  std::vector<Unit> units;
  std::vector<std::vector<std::int32_t>> met_again(graphs.size());  // patterns of graphs before
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const Components components = strongly_connected_components(*graphs[g]);
    reports[g].num_components = components.num_components;
    const std::int32_t num_known = patterns.size();
    std::vector<std::int32_t> met = index_patterns(*graphs[g], components, list_states(components), patterns);
    std::sort(met.begin(), met.end());
    met.erase(std::unique(met.begin(), met.end()), met.end());
    for (const std::int32_t p : met) {
      if (p < 0 || !source.is_worth_caching(patterns.pattern(p))) continue;
      ++reports[g].num_patterns;
      if (p < num_known) {
        met_again[g].push_back(p);
      } else {
        units.push_back({p, g});
      }
    }
  }
  sort_units(units, patterns);

  constexpr std::int64_t kMaxPairs = (16LL << 30) / sizeof(PrcPair);  // what `eliminate` allows by default
  for_each_concurrently(
      units.size(), num_component_threads(settings, units.size(), patterns.num_edges()), [&](std::size_t k, int) {
        Unit& unit = units[k];
        const ContentKey& key = patterns.key(unit.pattern);
        const std::int64_t bytes_before = folder->size_of(key);
        if (std::cmp_not_equal(k % part.count, part.index)) {
          // Only looked at: what is damaged will be found by whoever reads it.
          if (bytes_before > 0) unit.outcome = Unit::Outcome::kPresent;
          unit.bytes = std::max<std::int64_t>(0, bytes_before);
          return;
        }
        const auto start = std::chrono::steady_clock::now();
        bool from_cache = false;
        source.obtain(patterns.pattern(unit.pattern), key, kMaxPairs, from_cache);
        unit.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        unit.outcome = from_cache ? Unit::Outcome::kPresent : Unit::Outcome::kNew;
        unit.bytes = std::max<std::int64_t>(0, folder->size_of(key));
        SOJOURN_EXPECTS(state.may_write(), IoError,
                        "cache folder {}: an entry could not be written; free some space or name another folder in "
                        "SOJOURN_CACHE_DIR",
                        folder->root());
      });

  std::vector<const Unit*> unit_of(patterns.size(), nullptr);
  for (const Unit& unit : units) {
    unit_of[unit.pattern] = &unit;
    PrecomputeReport& report = reports[unit.graph];
    report.seconds += unit.seconds;
    if (unit.outcome == Unit::Outcome::kNew) {
      ++report.num_new;
      report.bytes_new += unit.bytes;
    } else if (unit.outcome == Unit::Outcome::kPresent) {
      ++report.num_present;
      report.bytes_present += unit.bytes;
    } else {
      ++report.num_elsewhere;
    }
  }
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    for (const std::int32_t p : met_again[g]) {
      if (unit_of[p]->outcome == Unit::Outcome::kElsewhere) {
        ++reports[g].num_elsewhere;
      } else {
        ++reports[g].num_present;
        reports[g].bytes_present += unit_of[p]->bytes;
      }
    }
  }
  return reports;
}

}  // namespace sojourn
