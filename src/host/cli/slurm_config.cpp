#include "cli/slurm_config.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "expects.hpp"
#include "model/document.hpp"
#include "model/suggest.hpp"

namespace sojourn::cli {
namespace {

constexpr SlurmProfile kProfiles[] = {
    {"debug", "first try of a run and its environment", 1, 4, "00:30:00"},
    {"small", "development", 2, 8, "01:00:00"},
    {"medium", "standard runs", 4, 16, "02:00:00"},
    {"large", "large runs", 8, 16, "04:00:00"},
    {"production", "the largest runs", 8, 32, "08:00:00"},
};

constexpr std::int64_t kMostNodesAsked = 100'000;
constexpr std::int64_t kMostCpusPerNode = 4096;
constexpr std::int64_t kMostGpusPerNode = 64;
constexpr std::int64_t kLongestSeconds = 365LL * 24 * 3600;
constexpr std::size_t kLongestName = 64;

DocumentLimits config_limits() {
  DocumentLimits limits;
  limits.max_bytes = 1 << 20;
  limits.what = "SLURM configuration";
  limits.bytes_option = "the limit of";
  return limits;
}

bool is_word(std::string_view text, std::string_view beside) {
  return !text.empty() && std::ranges::all_of(text, [beside](unsigned char c) {
    return std::isalnum(c) != 0 || beside.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// A text that stands in the script without quotes: nothing in it can end a line, begin a comment or be a flag.
std::string word(const Document::Value& value, std::string_view beside, const char* allowed) {
  const std::string text = value.as_string();
  SOJOURN_EXPECTS(is_word(text, beside) && text.front() != '-', UsageError, "{}: {}: '{}' may hold {} only",
                  value.where(), value.path(), text, allowed);
  return text;
}

/// "8G", "8GB", "8GiB", "512M", "4096" (megabytes, as SLURM takes it).
std::string memory_size(const Document::Value& value) {
  std::string text = value.as_string();
  if (text.ends_with("iB")) {
    text.resize(text.size() - 2);
  } else if (text.ends_with("B")) {
    text.pop_back();
  }
  const std::string_view digits = std::string_view(text).substr(0, text.find_first_not_of("0123456789"));
  const std::string_view unit = std::string_view(text).substr(digits.size());
  const bool fine =
      !digits.empty() && digits.size() <= 9 && digits.find_first_not_of('0') != std::string_view::npos &&
      (unit.empty() || (unit.size() == 1 && std::string_view("KMGT").find(unit) != std::string_view::npos));
  if (!fine) value.fail(fmt::format("'{}' is not a memory size such as 512M, 8G or 8GiB", value.as_string()));
  return text;
}

std::string time_limit(const Document::Value& value) {
  const std::string text = value.as_string();
  const std::int64_t seconds = slurm_seconds(text);
  if (seconds < 60 || seconds > kLongestSeconds)
    value.fail(
        fmt::format("'{}' is not a time from one minute to a year as SLURM writes it: 90 (minutes), 03:00:00 "
                    "or 1-12:00:00",
                    text));
  return text;
}

std::vector<std::pair<std::string, std::string>> variables(const Document::Value& value) {
  value.expect(ValueKind::kMapping);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string name(value[i].key());
    SOJOURN_EXPECTS(is_word(name, "_") && std::isdigit(static_cast<unsigned char>(name.front())) == 0, UsageError,
                    "{}: {}: '{}' is not a variable's name: letters, digits and _", value[i].where(), value.path(),
                    name);
    const std::string text = value[i].as_string();
    expect_one_line(fmt::format("{}: {}", value[i].where(), value[i].path()), text);
    pairs.emplace_back(name, text);
  }
  return pairs;
}

/// One text or a list of them.
std::vector<Document::Value> texts(const Document::Value& value) {
  if (value.is_scalar()) return {value};
  value.expect(ValueKind::kSequence);
  std::vector<Document::Value> items;
  for (std::size_t i = 0; i < value.size(); ++i) items.push_back(value[i]);
  return items;
}

void read_machine(const Document::Value& root, SlurmConfig& config) {
  constexpr const char* kWord = "letters, digits and _.,-";
  if (const auto value = root.find("nodes")) config.nodes = value->as_integer(1, kMostNodesAsked);
  if (const auto value = root.find("cpus_per_node")) config.cpus_per_node = value->as_integer(1, kMostCpusPerNode);
  if (const auto value = root.find("tasks_per_node")) config.tasks_per_node = value->as_integer(1, kMostCpusPerNode);
  if (const auto value = root.find("gpus_per_node")) config.gpus_per_node = value->as_integer(0, kMostGpusPerNode);
  if (const auto value = root.find("memory_per_cpu")) config.memory_per_cpu = memory_size(*value);
  if (const auto value = root.find("time_limit")) config.time_limit = time_limit(*value);
  if (const auto value = root.find("partition")) config.partition = word(*value, "_.,-", kWord);
  if (const auto value = root.find("qos")) config.qos = word(*value, "_.,-", kWord);
  if (const auto value = root.find("account")) config.account = word(*value, "_.,-", kWord);
  if (const auto value = root.find("mpi")) config.mpi = word(*value, "_-", "letters, digits and _-");
  if (const auto value = root.find("platform"))
    config.platform = value->as_one_of(std::array<std::string, 2>{"cpu", "gpu"});
  if (const auto value = root.find("signal_seconds")) config.signal_seconds = value->as_integer(1, 65535);
}

void check_together(const Document::Value& root, const SlurmConfig& config) {
  if (config.platform == "gpu" && config.gpus_per_node == 0)
    root.fail("platform gpu needs gpus_per_node of at least 1");
  if (config.platform == "cpu" && config.gpus_per_node > 0)
    root.fail(fmt::format("gpus_per_node {} needs platform: gpu, or the job would hold GPUs that it does not use",
                          config.gpus_per_node));
  if (config.ranks_per_node() > config.cpus_per_node)
    root.fail(fmt::format("{} tasks on a node of cpus_per_node {} would have no core each", config.ranks_per_node(),
                          config.cpus_per_node));
  if (config.signal_seconds >= slurm_seconds(config.time_limit))
    root.fail(
        fmt::format("signal_seconds {} must be less than time_limit {}", config.signal_seconds, config.time_limit));
}

SlurmConfig read(const Document& document, SlurmConfig config) {
  const Document::Value root = document.root();
  root.expect(ValueKind::kMapping);
  root.expect_keys({"schema", "name", "nodes", "cpus_per_node", "tasks_per_node", "memory_per_cpu", "time_limit",
                    "partition", "qos", "account", "mpi", "modules_to_load", "env_vars", "setup", "gpus_per_node",
                    "platform", "signal_seconds"});
  if (const auto schema = root.find("schema")) (void)schema->as_one_of(std::array<std::string, 1>{"sojourn/slurm/1"});
  if (const auto name = root.find("name")) {
    config.name = name->as_string();
    expect_job_name(name->where() + ": name", config.name);
  }
  read_machine(root, config);
  if (const auto modules = root.find("modules_to_load")) {
    config.modules_to_load.clear();
    for (const Document::Value& module : texts(*modules))
      config.modules_to_load.push_back(word(module, "_./+@=-", "letters, digits and _./+@=-"));
  }
  if (const auto block = root.find("env_vars")) config.env_vars = variables(*block);
  if (const auto lines = root.find("setup")) {
    config.setup.clear();
    for (const Document::Value& line : texts(*lines)) {
      config.setup.push_back(line.as_string());
      expect_one_line(line.where() + ": setup", config.setup.back());
    }
  }
  // What follows the time limit of a short job is given less time itself.
  if (!root.find("signal_seconds"))
    config.signal_seconds = std::min<std::int64_t>(config.signal_seconds, slurm_seconds(config.time_limit) / 4);
  check_together(root, config);
  return config;
}

}  // namespace

std::int64_t SlurmConfig::ranks_per_node() const {
  return tasks_per_node > 0 ? tasks_per_node : std::max<std::int64_t>(1, gpus_per_node);
}

std::span<const SlurmProfile> slurm_profiles() { return kProfiles; }

SlurmConfig slurm_config_of_profile(const std::string& name) {
  std::vector<std::string> names;
  for (const SlurmProfile& profile : kProfiles) {
    if (name == profile.name) {
      SlurmConfig config;
      config.nodes = profile.nodes;
      config.cpus_per_node = profile.cpus_per_node;
      config.time_limit = profile.time_limit;
      return config;
    }
    names.emplace_back(profile.name);
  }
  throw UsageError(
      fmt::format("--profile '{}' is none of {}{}", name, fmt::join(names, ", "), suggestion(name, names)));
}

SlurmConfig read_slurm_config(const std::string& path, SlurmConfig config) {
  return read(Document::load(path, config_limits()), std::move(config));
}

SlurmConfig parse_slurm_config(std::string_view text, const std::string& origin, SlurmConfig config) {
  return read(Document::parse(text, origin, config_limits()), std::move(config));
}

std::int64_t slurm_seconds(std::string_view text) {
  constexpr std::size_t kMostDigits = 6;
  const auto number = [](std::string_view digits) -> std::int64_t {
    if (digits.empty() || digits.size() > kMostDigits) return -1;
    std::int64_t value = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return -1;
      value = 10 * value + (c - '0');
    }
    return value;
  };
  std::int64_t days = 0;
  const auto dash = text.find('-');
  const bool has_days = dash != std::string_view::npos;
  if (has_days) {
    days = number(text.substr(0, dash));
    text.remove_prefix(dash + 1);
  }
  std::vector<std::int64_t> fields;
  while (true) {
    const auto colon = text.find(':');
    fields.push_back(number(text.substr(0, colon)));
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  if (days < 0 || fields.size() > 3 || std::ranges::any_of(fields, [](std::int64_t field) { return field < 0; }))
    return -1;
  // Behind days the first field counts hours; else one or two fields begin with minutes.
  if (!has_days && fields.size() < 3) fields.insert(fields.begin(), 0);
  fields.resize(3, 0);
  // The last two fields of a clock stay below sixty, but for minutes that stand alone.
  if (fields[2] >= 60 || (fields[1] >= 60 && (has_days || fields[0] > 0))) return -1;
  return ((days * 24 + fields[0]) * 60 + fields[1]) * 60 + fields[2];
}

void expect_job_name(const std::string& what, const std::string& text) {
  SOJOURN_EXPECTS(is_word(text, "._+-") && text.size() <= kLongestName &&
                      std::string_view(".+-").find(text.front()) == std::string_view::npos,
                  UsageError,
                  "{}: '{}' cannot be a job's name: at most {} letters, digits and ._+-, a letter, digit or _ first",
                  what, text, kLongestName);
}

std::string as_job_name(const std::string& text) {
  std::string name = text.substr(0, kLongestName);
  for (char& c : name) {
    if (!is_word({&c, 1}, "._+-")) c = '-';
  }
  const auto first = name.find_first_not_of(".+-");
  return first == std::string::npos ? "sojourn" : name.substr(first);
}

void expect_one_line(const std::string& what, const std::string& text) {
  const bool fine = std::ranges::none_of(text, [](unsigned char c) { return std::iscntrl(c) != 0; });
  std::string shown = text.substr(0, 200);
  std::ranges::replace_if(
      shown, [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
  SOJOURN_EXPECTS(fine, UsageError, "{}: '{}' holds a newline or another control character, which a script cannot",
                  what, shown);
}

}  // namespace sojourn::cli
