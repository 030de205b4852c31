#include "elimination/elimination_state.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "expects.hpp"

namespace sojourn {
namespace {

/// Value of a variable; empty where it is unset or empty.
std::string_view value_of(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool switch_of(const char* variable, bool unset) {
  const std::string_view value = value_of(variable);
  SOJOURN_EXPECTS(value.empty() || value == "0" || value == "1", UsageError, "{}='{}' must be 0 or 1, or be unset",
                  variable, value);
  return value.empty() ? unset : value == "1";
}

std::int32_t count_of(const char* variable, const char* meaning) {
  const std::string_view value = value_of(variable);
  if (value.empty()) return 0;
  std::int32_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  SOJOURN_EXPECTS(error == std::errc() && end == value.data() + value.size() && count > 0, UsageError,
                  "{}='{}' is not a positive integer; unset it or give {}", variable, value, meaning);
  return count;
}

std::string folder_of(const EliminationSettings& settings) {
  return settings.cache_folder.empty() ? default_cache_folder() : settings.cache_folder;
}

}  // namespace

EliminationSettings elimination_settings_from_environment() {
  EliminationSettings settings;
  settings.parallel = switch_of("SOJOURN_PARALLEL_ELIMINATION", true);
  settings.max_parallel_components =
      count_of("SOJOURN_MAX_PARALLEL_SCCS", "the number of components to eliminate at once");
  settings.min_states_to_cache =
      count_of("SOJOURN_MIN_SCC_SIZE_TO_CACHE", "the number of states from which a component is cached");
  settings.cache_folder = value_of("SOJOURN_CACHE_DIR");
  if (switch_of("SOJOURN_DISABLE_CACHE", false)) settings.cache = CacheMode::kOff;
  return settings;
}

EliminationState& EliminationState::instance() {
  static EliminationState state;
  return state;
}

EliminationSettings EliminationState::settings() {
  const std::lock_guard lock(mutex_);
  if (!settings_) {
    settings_ = elimination_settings_from_environment();
    if (settings_->min_states_to_cache == 0) settings_->min_states_to_cache = kMinStatesToCache;
  }
  return *settings_;
}

void EliminationState::configure(EliminationSettings settings) {
  SOJOURN_EXPECTS(
      settings.num_threads >= 0 && settings.max_parallel_components >= 0 && settings.min_states_to_cache >= 0,
      UsageError, "elimination: threads {}, parallel components {} and smallest cached component {} must be >= 0",
      settings.num_threads, settings.max_parallel_components, settings.min_states_to_cache);
  const std::lock_guard lock(mutex_);
  if (settings.min_states_to_cache == 0) settings.min_states_to_cache = kMinStatesToCache;
  settings_ = std::move(settings);
  opened_ = false;
  folder_.reset();
  may_write_ = true;
  std::memset(warned_, 0, sizeof warned_);
}

std::shared_ptr<const CacheFolder> EliminationState::cache_folder() {
  const EliminationSettings settings = this->settings();
  if (settings.cache == CacheMode::kOff) return nullptr;
  std::string fault;
  {
    const std::lock_guard lock(mutex_);
    if (opened_) return folder_;
    auto folder = std::make_shared<CacheFolder>();
    // A named folder that is missing is a slip or a file system that is not mounted; nothing is made in its place.
    fault = CacheFolder::open(folder_of(settings), settings.cache_folder.empty(), *folder);
    if (fault.empty()) {
      folder_ = std::move(folder);
      folder_->sweep();
    }
    opened_ = fault.empty() || settings.cache != CacheMode::kRequire;
  }
  if (fault.empty()) return folder_;
  const std::string name = folder_of(settings);
  SOJOURN_EXPECTS(settings.cache != CacheMode::kRequire, IoError,
                  "cache folder {}: {}; --cache=require needs it, name another one in SOJOURN_CACHE_DIR", name, fault);
  warn(Warning::kFolder, fmt::format("cache folder {}: {}; going on without the cache", name, fault));
  return nullptr;
}

std::shared_ptr<const CacheFolder> EliminationState::made_cache_folder() {
  const EliminationSettings settings = this->settings();
  auto folder = std::make_shared<CacheFolder>();
  const std::string name = folder_of(settings);
  const std::string fault = CacheFolder::open(name, true, *folder);
  SOJOURN_EXPECTS(fault.empty(), IoError, "cache folder {}: {}; name another one in SOJOURN_CACHE_DIR", name, fault);
  folder->sweep();
  const std::lock_guard lock(mutex_);
  opened_ = true;
  folder_ = folder;
  return folder;
}

void EliminationState::warn(Warning kind, const std::string& message) {
  std::function<void(const std::string&)> receiver;
  {
    const std::lock_guard lock(mutex_);
    bool& warned = warned_[static_cast<int>(kind)];
    if (warned) return;
    warned = true;
    if (settings_) receiver = settings_->warn;
    // One at a time: the receiver may be no friend of threads.
    if (receiver) receiver(message);
  }
}

std::shared_ptr<const PrcArrays> EliminationState::find(const ContentKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = graphs_.find(key);
  return found == graphs_.end() ? nullptr : found->second.lock();
}

void EliminationState::remember(const ContentKey& key, const std::shared_ptr<const PrcArrays>& arrays) {
  const std::lock_guard lock(mutex_);
  std::erase_if(graphs_, [](const auto& item) { return item.second.expired(); });
  graphs_[key] = arrays;
}

EliminationSettings elimination_settings() { return EliminationState::instance().settings(); }

void configure_elimination(EliminationSettings settings) {
  EliminationState::instance().configure(std::move(settings));
}

std::string cache_folder_in_force() { return folder_of(elimination_settings()); }

void check_cache_folder(bool create) {
  EliminationState& state = EliminationState::instance();
  if (state.settings().cache == CacheMode::kOff) return;
  if (create) {
    state.made_cache_folder();
  } else {
    state.cache_folder();
  }
}

EliminationCounters elimination_counters() {
  const EliminationState::Counters& c = EliminationState::instance().counters;
  EliminationCounters counters;
  counters.eliminations = c.eliminations;
  counters.graphs_reused = c.graphs_reused;
  counters.components_computed = c.components_computed;
  counters.components_shared = c.components_shared;
  counters.cache_hits = c.cache_hits;
  counters.cache_misses = c.cache_misses;
  counters.cache_writes = c.cache_writes;
  counters.cache_rejects = c.cache_rejects;
  counters.most_at_once = c.most_at_once;
  return counters;
}

}  // namespace sojourn
