#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "elimination/cache_folder.hpp"
#include "elimination/content_key.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {

/// Components of this many states and more go to the cache on disk; measured in docs/decisions/0005.
inline constexpr std::int32_t kMinStatesToCache = 64;

/// What eliminations of one process share: settings, the cache folder, counters, and the results still in use.
class EliminationState {
 public:
  static EliminationState& instance();

  EliminationSettings settings();
  void configure(EliminationSettings settings);

  /// The folder to use, or none; opened at the first call after `configure`. @throws IoError with `kRequire`.
  std::shared_ptr<const CacheFolder> cache_folder();
  /// The same, made where it is missing. @throws IoError whatever the mode.
  std::shared_ptr<const CacheFolder> made_cache_folder();

  enum class Warning { kFolder, kDamage, kWrite };
  /// Gives a warning unless one of its kind was given since `configure`.
  void warn(Warning kind, const std::string& message);

  /// After a failed write nothing more is written.
  void stop_writing() { may_write_ = false; }
  [[nodiscard]] bool may_write() const { return may_write_; }

  /// The elimination of an equal graph that somebody still holds. Built content decides, see `key_of`.
  std::shared_ptr<const PrcArrays> find(const ContentKey& key);
  void remember(const ContentKey& key, const std::shared_ptr<const PrcArrays>& arrays);

  struct Counters {
    std::atomic<std::int64_t> eliminations, graphs_reused, components_computed, components_shared, cache_hits,
        cache_misses, cache_writes, cache_rejects, at_once, most_at_once;
  };
  Counters counters{};

 private:
  std::mutex mutex_;
  std::optional<EliminationSettings> settings_;
  bool opened_ = false;
  std::shared_ptr<const CacheFolder> folder_;
  bool warned_[3] = {};
  std::atomic<bool> may_write_{true};
  std::unordered_map<ContentKey, std::weak_ptr<const PrcArrays>, ContentKeyHash> graphs_;
};

}  // namespace sojourn
