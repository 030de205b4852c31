#include "cli/elimination_options.hpp"

#include <CLI/CLI.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMaxThreadsAsked = 4096;

CacheMode mode_of(const std::string& text) {
  if (text == "auto") return CacheMode::kAuto;
  if (text == "off") return CacheMode::kOff;
  SOJOURN_EXPECTS(text == "require", UsageError, "--cache '{}' is none of auto, off, require{}", text,
                  suggestion(text, std::vector<std::string>{"auto", "off", "require"}));
  return CacheMode::kRequire;
}

void print_trace(const ComponentTrace& trace) {
  write_stderr(fmt::format(
      "debug: elimination: level {}, component {}{}, {} states, thread {}, {} in {:.3f} ms\n", trace.level,
      trace.component, trace.num_shared > 1 ? fmt::format(" and {} like it", trace.num_shared - 1) : "",
      trace.num_states, trace.thread, trace.from_cache ? "read from the cache" : "computed", 1e3 * trace.seconds));
}

}  // namespace

void add_cache_option(CLI::App& app) {
  app.add_option("--cache",
                 "auto, off, or require: fail where the elimination cache cannot be used [auto; off with "
                 "SOJOURN_DISABLE_CACHE=1]")
      ->type_name("MODE")
      ->group("Machine");
}

void apply_elimination_options(const CLI::App& verb) {
  const CLI::Option* threads = verb.get_option_no_throw("--threads");
  int num_threads = 0;
  if (threads != nullptr) {
    // A list, as `bench` takes, is the verb's own affair.
    const bool asked = threads->count() > 0 && threads->results().front().find(',') == std::string::npos;
    num_threads = resolve_num_threads(
        asked ? static_cast<int>(parse_whole("--threads", threads->results().front(), 1, kMaxThreadsAsked)) : 0);
#ifdef _OPENMP
    // What has no number of threads of its own, such as exploring states, takes as many.
    omp_set_num_threads(num_threads);
#endif
  }
  const CLI::Option* cache = verb.get_option_no_throw("--cache");
  if (cache == nullptr) return;
  EliminationSettings settings = elimination_settings_from_environment();
  settings.warn = [](const std::string& message) { warn(message); };
  if (log_level() == LogLevel::kDebug) settings.trace = print_trace;
  if (cache->count() > 0) settings.cache = mode_of(cache->results().front());
  settings.num_threads = threads == nullptr ? resolve_num_threads(0) : num_threads;
  const bool early = !settings.cache_folder.empty() || settings.cache == CacheMode::kRequire;
  configure_elimination(std::move(settings));
  if (early) check_cache_folder();
}

}  // namespace sojourn::cli
