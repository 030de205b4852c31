#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// What eliminations do with the cache on disk. Results are the same bits whatever it is.
enum class CacheMode : std::uint8_t {
  kAuto,     ///< use it where it can be used; warn once where it cannot
  kOff,      ///< neither read nor write
  kRequire,  ///< a folder that cannot be used is an IoError
};

/// What became of the symbolic elimination of one component: for tests and logs.
struct ComponentTrace {
  std::int64_t component;   ///< the first component of the graph with this pattern
  std::int64_t num_shared;  ///< components of the graph that share it
  std::int32_t num_states;
  std::int32_t level;   ///< of the first component, from 1: all its successors have smaller ones
  std::int32_t thread;  ///< of the team
  bool from_cache;
  double seconds;
};

/// How `eliminate` works in this process.
struct EliminationSettings {
  bool parallel = true;                      ///< components concurrently (OpenMP)
  std::int32_t num_threads = 0;              ///< 0: what OpenMP would take
  std::int32_t max_parallel_components = 0;  ///< no more than these at once; 0: one for each thread
  CacheMode cache = CacheMode::kAuto;
  std::string cache_folder;              ///< empty: sojourn in the user's cache folder (XDG_CACHE_HOME, ~/.cache)
  std::int32_t min_states_to_cache = 0;  ///< smaller components stay out of the cache; 0: the measured break-even
  std::function<void(const std::string&)> warn;      ///< gets each kind of warning once
  std::function<void(const ComponentTrace&)> trace;  ///< after the components are done, in a fixed order
};

/// Settings of the environment: SOJOURN_PARALLEL_ELIMINATION (0, 1), SOJOURN_MAX_PARALLEL_SCCS,
/// SOJOURN_MIN_SCC_SIZE_TO_CACHE (positive), SOJOURN_CACHE_DIR, SOJOURN_DISABLE_CACHE (0, 1). Empty is unset.
/// @throws UsageError naming the variable and its value.
EliminationSettings elimination_settings_from_environment();

/// Settings in force: those last configured, else those of the environment at the first call.
EliminationSettings elimination_settings();

/// Puts settings in force for the whole process and lets every warning be given again.
void configure_elimination(EliminationSettings settings);

/// Opens the cache folder as an elimination would, so that its faults come early. Does nothing with `kOff`.
/// @param create  also make a folder that was named and is missing; a default folder is always made.
/// @throws IoError with `kRequire` or `create`, where the folder cannot be used.
void check_cache_folder(bool create = false);

/// Folder the settings in force lead to; empty where there is no home folder either.
std::string cache_folder_in_force();

/// Since the start of the process.
struct EliminationCounters {
  std::int64_t eliminations = 0;         ///< graphs eliminated
  std::int64_t graphs_reused = 0;        ///< graphs whose elimination was still at hand
  std::int64_t components_computed = 0;  ///< patterns of components eliminated
  std::int64_t components_shared = 0;    ///< components that took over the result of another one of their graph
  std::int64_t cache_hits = 0;           ///< patterns read from disk
  std::int64_t cache_misses = 0;         ///< patterns looked for on disk and not found
  std::int64_t cache_writes = 0;
  std::int64_t cache_rejects = 0;  ///< entries found and not believed
  std::int64_t most_at_once = 0;   ///< most components in work at one time
};
EliminationCounters elimination_counters();

/// One of several processes that fill a cache together: `index` of `count`, from 0.
struct PrecomputePart {
  std::int32_t index = 0, count = 1;
};

/// What `precompute` did for one graph.
struct PrecomputeReport {
  std::int64_t num_components = 0;  ///< of the graph
  std::int64_t num_patterns = 0;    ///< different ones worth caching
  std::int64_t num_new = 0;         ///< computed and written by this part
  std::int64_t num_present = 0;     ///< found in the cache, or written for a graph before it
  std::int64_t num_elsewhere = 0;   ///< of other parts, and not in the cache yet
  std::int64_t bytes_new = 0, bytes_present = 0;
  double seconds = 0;  ///< of computing and writing, summed over threads
};

/// Fills the cache with the components of `graphs`, all components of all graphs concurrently. Each part takes every
/// count-th pattern by falling size, so the parts together do all of them once.
/// @throws IoError when the cache folder cannot be used or written, UsageError for a part out of range or a cache that
/// is switched off.
std::vector<PrecomputeReport> precompute(std::span<const StateGraph* const> graphs, PrecomputePart part = {});

/// An entry of the cache, or what stands in its place.
struct CacheEntry {
  std::string name;  ///< file name: 32 hex digits and an ending
  std::int64_t bytes = 0;
  std::int64_t num_states = 0, num_edges = 0, num_entries = 0, num_pairs = 0;  ///< 0 where the header is unreadable
  std::int64_t modified = 0;                                                   ///< seconds since 1970
  std::string fault;  ///< empty: none found; `list_cache` reads headers only, `verify_cache` everything
};

struct CacheContent {
  std::string folder;
  std::vector<CacheEntry> entries;  ///< by name
  std::int64_t num_quarantined = 0, bytes_quarantined = 0;
  std::int64_t num_unfinished = 0, bytes_unfinished = 0;  ///< of writers at work or killed
};
/// Both: @throws IoError where the folder exists and cannot be read; a missing one is empty.
CacheContent list_cache(const std::string& folder);
CacheContent verify_cache(const std::string& folder);

/// Removes entries, quarantined ones and unfinished files, and nothing else; returns what was there.
/// @throws IoError for a file that stays.
CacheContent clear_cache(const std::string& folder);

}  // namespace sojourn
