#include "elimination/component_factors.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "concurrent.hpp"
#include "elimination/entry_format.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

/// Counts how many components are in work at one time.
class InWork {
 public:
  InWork() {
    auto& counters = EliminationState::instance().counters;
    const std::int64_t now = ++counters.at_once;
    std::int64_t most = counters.most_at_once;
    while (most < now && !counters.most_at_once.compare_exchange_weak(most, now)) {
    }
  }
  ~InWork() { --EliminationState::instance().counters.at_once; }
  InWork(const InWork&) = delete;
  InWork& operator=(const InWork&) = delete;
};

}  // namespace

ComponentStates list_states(const Components& components) {
  ComponentStates list;
  list.begin.assign(components.num_components + 1, 0);
  for (const std::int32_t c : components.component_of) {
    if (c >= 0) ++list.begin[c + 1];
  }
  std::partial_sum(list.begin.begin(), list.begin.end(), list.begin.begin());
  list.state.resize(list.begin.back());
  std::vector<std::int32_t> next(list.begin.begin(), list.begin.end() - 1);
  for (std::size_t s = 0; s < components.component_of.size(); ++s) {
    const std::int32_t c = components.component_of[s];
    if (c >= 0) list.state[next[c]++] = static_cast<std::int32_t>(s);
  }
  return list;
}

std::int32_t PatternIndex::add(ComponentPattern&& pattern) {
  const ContentKey key = key_of(pattern);
  const auto [first, last] = index_.equal_range(key);
  for (auto candidate = first; candidate != last; ++candidate) {
    if (patterns_[candidate->second] == pattern) return candidate->second;
  }
  const std::int32_t index = size();
  num_edges_ += std::ssize(pattern.column);
  patterns_.push_back(std::move(pattern));
  keys_.push_back(key);
  index_.emplace(key, index);
  return index;
}

std::vector<std::int32_t> index_patterns(const StateGraph& graph, const Components& components,
                                         const ComponentStates& list, PatternIndex& patterns) {
  std::vector<std::int32_t> pattern_of(components.num_components, -1);
  std::vector<std::int32_t> local_of(graph.num_states());
  for (std::int32_t c = 0; c < components.num_components; ++c) {
    if (list.begin[c + 1] - list.begin[c] < 2) continue;
    ComponentPattern pattern;
    for (std::int32_t i = list.begin[c]; i < list.begin[c + 1]; ++i) local_of[list.state[i]] = i - list.begin[c];
    for (std::int32_t i = list.begin[c]; i < list.begin[c + 1]; ++i) {
      const std::int32_t state = list.state[i];
      for (std::int64_t e = graph.edge_begin(state); e < graph.edge_end(state); ++e) {
        const std::int32_t to = graph.edge_to(e);
        if (components.component_of[to] == c) pattern.column.push_back(local_of[to]);
      }
      SOJOURN_EXPECTS(
          pattern.column.size() < std::numeric_limits<std::int32_t>::max(), ModelError,
          "elimination: a component of {} states has more than 2147483647 edges inside; use a smaller model",
          list.begin[c + 1] - list.begin[c]);
      pattern.row_begin.push_back(static_cast<std::int32_t>(pattern.column.size()));
    }
    pattern_of[c] = patterns.add(std::move(pattern));
  }
  return pattern_of;
}

SymbolicFactor FactorSource::obtain(const ComponentPattern& pattern, const ContentKey& key, std::int64_t max_pairs,
                                    bool& from_cache) const {
  const InWork in_work;
  from_cache = false;
  if (!folder_ || !is_worth_caching(pattern)) return compute(pattern, key, max_pairs);
  auto& counters = EliminationState::instance().counters;
  if (const std::optional<CachedFile> file = folder_->read(CacheFolder::file_name(key))) {
    SymbolicFactor factor;
    const std::string fault = decode_entry(file->bytes, key, &pattern, factor);
    if (fault.empty()) {
      SOJOURN_EXPECTS(factor.num_pairs <= max_pairs, ModelError,
                      "elimination: a component of {} states needs {} multiply-adds per parameter vector; allowed are "
                      "{}. Raise the memory limit (--max-memory) or use a model with a smaller component",
                      pattern.num_states(), factor.num_pairs, max_pairs);
      ++counters.cache_hits;
      from_cache = true;
      return factor;
    }
    reject(key, *file, fault);
  } else {
    ++counters.cache_misses;
  }
  return compute(pattern, key, max_pairs);
}

SymbolicFactor FactorSource::replace(const ComponentPattern& pattern, const ContentKey& key,
                                     std::int64_t max_pairs) const {
  if (const std::optional<CachedFile> file = folder_->read(CacheFolder::file_name(key)))
    reject(key, *file, "its entries are not the fill of the component");
  return compute(pattern, key, max_pairs);
}

void FactorSource::reject(const ContentKey& key, const CachedFile& file, const std::string& fault) const {
  EliminationState& state = EliminationState::instance();
  ++state.counters.cache_rejects;
  const std::string name = CacheFolder::file_name(key);
  const bool gone = folder_->quarantine(name, file);
  state.warn(EliminationState::Warning::kDamage,
             fmt::format("cache entry {}: {}; it is {} and computed again (sojourn cache verify checks all of them)",
                         folder_->path_of(name), fault, gone ? "put into quarantine" : "left out"));
}

SymbolicFactor FactorSource::compute(const ComponentPattern& pattern, const ContentKey& key,
                                     std::int64_t max_pairs) const {
  EliminationState& state = EliminationState::instance();
  ++state.counters.components_computed;
  SymbolicFactor factor = factor_symbolically(pattern, max_pairs);
  if (!folder_ || !is_worth_caching(pattern) || !state.may_write()) return factor;
  const std::vector<unsigned char> entry = encode_entry(key, pattern, factor);
  const int error = folder_->write(CacheFolder::file_name(key), entry);
  if (error == 0) {
    ++state.counters.cache_writes;
    return factor;
  }
  SOJOURN_EXPECTS(settings_.cache != CacheMode::kRequire, IoError,
                  "cache folder {}: cannot write an entry of {} bytes: {}; --cache=require needs it", folder_->root(),
                  entry.size(), std::strerror(error));
  state.stop_writing();
  state.warn(EliminationState::Warning::kWrite,
             fmt::format("cache folder {}: cannot write an entry of {} bytes: {}; going on without writing",
                         folder_->root(), entry.size(), std::strerror(error)));
  return factor;
}

int num_component_threads(const EliminationSettings& settings, std::size_t num_units, std::int64_t num_edges) {
  // Some 5 ms of work; on a busy machine the threads of a team wait that long for each other.
  constexpr std::int64_t kEdgesWorthThreads = 20'000;
  if (!settings.parallel || num_edges < kEdgesWorthThreads) return 1;
  std::int64_t threads = settings.num_threads > 0 ? settings.num_threads : num_available_threads();
  if (settings.max_parallel_components > 0) threads = std::min<std::int64_t>(threads, settings.max_parallel_components);
  return static_cast<int>(std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(1, num_units)));
}

}  // namespace sojourn
