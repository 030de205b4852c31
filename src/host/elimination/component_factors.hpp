#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "elimination/components.hpp"
#include "elimination/content_key.hpp"
#include "elimination/elimination_state.hpp"
#include "elimination/symbolic_factor.hpp"

namespace sojourn {

/// States of every component in ascending order, components in their (reverse topological) order.
struct ComponentStates {
  std::vector<std::int32_t> begin, state;
};
ComponentStates list_states(const Components& components);

/// The different patterns among components. Equality decides, the key only finds candidates.
class PatternIndex {
 public:
  /// Index of the pattern, which is added where it is new.
  std::int32_t add(ComponentPattern&& pattern);
  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(patterns_.size()); }
  [[nodiscard]] const ComponentPattern& pattern(std::int32_t index) const { return patterns_[index]; }
  /// Edges of all patterns.
  [[nodiscard]] std::int64_t num_edges() const { return num_edges_; }
  [[nodiscard]] const ContentKey& key(std::int32_t index) const { return keys_[index]; }

 private:
  std::vector<ComponentPattern> patterns_;
  std::vector<ContentKey> keys_;
  std::int64_t num_edges_ = 0;
  std::unordered_multimap<ContentKey, std::int32_t, ContentKeyHash> index_;
};

/// Index of the pattern of each component with more than one state, -1 for the others.
std::vector<std::int32_t> index_patterns(const StateGraph& graph, const Components& components,
                                         const ComponentStates& list, PatternIndex& patterns);

/// The elimination of one pattern: from the cache where it has it, else computed and handed to the cache.
class FactorSource {
 public:
  explicit FactorSource(std::shared_ptr<const CacheFolder> folder)
      : settings_(EliminationState::instance().settings()), folder_(std::move(folder)) {}

  /// @throws ModelError beyond `max_pairs`, IoError with `kRequire` where the cache cannot be written.
  SymbolicFactor obtain(const ComponentPattern& pattern, const ContentKey& key, std::int64_t max_pairs,
                        bool& from_cache) const;
  /// Computes a factor anew whose entry passed every check of its reading and was found out later.
  SymbolicFactor replace(const ComponentPattern& pattern, const ContentKey& key, std::int64_t max_pairs) const;

  [[nodiscard]] bool is_worth_caching(const ComponentPattern& pattern) const {
    return pattern.num_states() >= settings_.min_states_to_cache;
  }

 private:
  SymbolicFactor compute(const ComponentPattern& pattern, const ContentKey& key, std::int64_t max_pairs) const;
  void reject(const ContentKey& key, const CachedFile& file, const std::string& fault) const;
  EliminationSettings settings_;
  std::shared_ptr<const CacheFolder> folder_;
};

/// Threads for work on components with so many edges inside in all: what the settings allow, and one alone where
/// starting others takes longer than the work.
int num_component_threads(const EliminationSettings& settings, std::size_t num_units, std::int64_t num_edges);

}  // namespace sojourn
