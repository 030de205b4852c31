#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <memory>

#include "cli/json_writer.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

struct CacheOptions {
  std::string action;
  bool json = false;
};

std::string format_time(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::int64_t total_bytes(const CacheContent& content) {
  std::int64_t sum = 0;
  for (const CacheEntry& entry : content.entries) sum += entry.bytes;
  return sum;
}

std::int64_t num_damaged(const CacheContent& content) {
  return std::count_if(content.entries.begin(), content.entries.end(),
                       [](const CacheEntry& entry) { return !entry.fault.empty(); });
}

std::string as_json(const std::string& action, const CacheContent& content) {
  JsonWriter json;
  json.begin_object().member("action", action).member("folder", content.folder);
  json.key("entries").begin_array();
  for (const CacheEntry& entry : content.entries) {
    json.begin_object().member("name", entry.name).member("bytes", entry.bytes).member("states", entry.num_states);
    json.member("edges", entry.num_edges).member("factor_entries", entry.num_entries);
    json.member("multiply_adds", entry.num_pairs).member("modified", format_time(entry.modified));
    json.member("status", entry.fault.empty() ? "ok" : entry.fault).end_object();
  }
  json.end_array();
  json.member("num_entries", std::ssize(content.entries)).member("bytes", total_bytes(content));
  json.member("damaged", num_damaged(content));
  json.member("quarantined", content.num_quarantined).member("quarantined_bytes", content.bytes_quarantined);
  json.member("unfinished", content.num_unfinished).member("unfinished_bytes", content.bytes_unfinished);
  return json.end_object().take();
}

std::string entry_table(const CacheContent& content, bool damaged_only) {
  TextTable table({"entry", "states", "edges", "multiply-adds", "size", "written", "status"});
  bool any = false;
  for (const CacheEntry& entry : content.entries) {
    if (damaged_only && entry.fault.empty()) continue;
    any = true;
    table.add({entry.name, format_count(entry.num_states), format_count(entry.num_edges), format_count(entry.num_pairs),
               format_bytes(static_cast<double>(entry.bytes)), format_time(entry.modified),
               entry.fault.empty() ? "ok" : entry.fault});
  }
  return any ? table.text() : "";
}

std::string plural(std::int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", format_count(count), count == 1 ? one : many);
}

std::string summary_line(const std::string& action, const CacheContent& content) {
  std::string text = fmt::format("{}{} ({})", action == "clear" ? "removed " : "",
                                 plural(std::ssize(content.entries), "entry", "entries"),
                                 format_bytes(static_cast<double>(total_bytes(content))));
  if (action == "verify" && num_damaged(content) == 0 && !content.entries.empty()) text += ", all whole";
  if (content.num_quarantined > 0)
    text += fmt::format(", {} in quarantine ({})", format_count(content.num_quarantined),
                        format_bytes(static_cast<double>(content.bytes_quarantined)));
  if (content.num_unfinished > 0)
    text += fmt::format(", {} ({})", plural(content.num_unfinished, "unfinished file", "unfinished files"),
                        format_bytes(static_cast<double>(content.bytes_unfinished)));
  return text + fmt::format("; folder {}\n", content.folder);
}

ExitCode run_cache(const CacheOptions& options) {
  const std::vector<std::string> actions{"list", "verify", "clear"};
  SOJOURN_EXPECTS(std::find(actions.begin(), actions.end(), options.action) != actions.end(), UsageError,
                  "cache '{}' is none of list, verify, clear{}", options.action, suggestion(options.action, actions));
  const std::string folder = cache_folder_in_force();
  SOJOURN_EXPECTS(!folder.empty(), IoError, "cache: there is no home folder; name a folder in SOJOURN_CACHE_DIR");
  const CacheContent content = options.action == "list"     ? list_cache(folder)
                               : options.action == "verify" ? verify_cache(folder)
                                                            : clear_cache(folder);
  if (options.json) {
    write_stdout(as_json(options.action, content));
  } else {
    const std::string table =
        options.action == "clear" ? "" : entry_table(content, /*damaged_only=*/options.action == "verify");
    write_stdout(table + summary_line(options.action, content));
  }
  const std::int64_t damaged = num_damaged(content);
  SOJOURN_EXPECTS(
      options.action != "verify" || damaged == 0, IoError,
      "cache folder {}: {} of {} entries cannot be believed; runs that meet them put them into quarantine and "
      "compute anew, sojourn cache clear removes all",
      folder, damaged, content.entries.size());
  return ExitCode::kDone;
}

}  // namespace

Action add_cache(CLI::App& app) {
  const auto options = std::make_shared<CacheOptions>();
  app.add_option("ACTION", options->action,
                 "list: what is there; verify: check every entry against its component anew; clear: remove all")
      ->required();
  app.add_flag("--json", options->json, "Print one JSON object");
  app.footer(
      "The folder is SOJOURN_CACHE_DIR, else sojourn in XDG_CACHE_HOME or ~/.cache. verify ends with status 5\n"
      "where an entry is damaged. clear removes entries, those in quarantine and what killed writers left,\n"
      "and no other file.\n\n"
      "Example:\n  sojourn cache verify && sojourn cache list --json");
  return [options] { return run_cache(*options); };
}

}  // namespace sojourn::cli
