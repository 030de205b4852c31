#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/doctor_facts.hpp"
#include "cli/json_writer.hpp"
#include "cli/ranks.hpp"
#include "cli/streams.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

struct DoctorOptions {
  std::string results;
  bool json = false;
};

/// What another rank found that the first one did not.
struct OtherRank {
  std::int64_t rank = 0;
  std::string host;
  std::vector<Check> checks;
};

/// Ranks whose findings are listed one by one.
constexpr std::size_t kMostOthers = 20;

/// Every rank's text, in their order.
std::vector<std::string> gather_texts(Communicator& ranks, const std::string& own) {
  const auto length = static_cast<std::int64_t>(own.size());
  const std::vector<std::int64_t> lengths = ranks.all_gather(std::span<const std::int64_t>(&length, 1));
  const auto longest = static_cast<std::size_t>(*std::ranges::max_element(lengths));
  std::string padded = own;
  padded.resize(longest);
  const std::vector<char> all = ranks.all_gather(std::span<const char>(padded.data(), padded.size()));
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < lengths.size(); ++r)
    texts.emplace_back(all.data() + r * longest, static_cast<std::size_t>(lengths[r]));
  return texts;
}

std::string packed(const std::string& host, const std::vector<Check>& checks) {
  nlohmann::json json;
  json["host"] = host;
  for (const Check& check : checks)
    json["checks"].push_back({check.name, static_cast<int>(check.verdict), check.found, check.advice});
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Warnings and failures, and what has to be the same everywhere and is not.
OtherRank unpacked(std::int64_t rank, const std::string& text, const std::vector<Check>& first) {
  const auto json = nlohmann::json::parse(text);
  OtherRank other{rank, json.at("host"), {}};
  for (std::size_t c = 0; c < json.at("checks").size(); ++c) {
    const auto& item = json.at("checks")[c];
    Check check{item[0], static_cast<Verdict>(item[1].get<int>()), item[2], item[3]};
    const bool differs = check.found != first[c].found;
    const bool must_agree = check.name == "instruction_sets" || check.name == "variables";
    if (must_agree && differs && check.verdict < Verdict::kWarn) {
      check.verdict = Verdict::kWarn;
      check.advice = "differs from rank 0: give all ranks the same environment";
    }
    if (check.verdict >= Verdict::kWarn && differs) other.checks.push_back(std::move(check));
  }
  return other;
}

std::string line_of(const Check& check) {
  return fmt::format("{:<7} {:<17} {}{}\n", to_string(check.verdict), check.name, check.found,
                     check.advice.empty() ? "" : "; " + check.advice);
}

void add_checks(JsonWriter& json, const std::vector<Check>& checks) {
  json.key("checks").begin_array();
  for (const Check& check : checks) {
    json.begin_object().member("name", check.name).member("verdict", to_string(check.verdict));
    json.member("found", check.found).member("advice", check.advice).end_object();
  }
  json.end_array();
}

struct Findings {
  std::string host;
  std::vector<Check> checks;
  std::vector<OtherRank> others;  ///< those with something to say

  [[nodiscard]] Verdict worst() const {
    Verdict worst = Verdict::kOk;
    const auto look = [&worst](const std::vector<Check>& list) {
      for (const Check& check : list) {
        if (check.verdict >= Verdict::kWarn) worst = std::max(worst, check.verdict);
      }
    };
    look(checks);
    for (const OtherRank& other : others) look(other.checks);
    return worst;
  }
  /// Of the machine, not of results: one that a run on it meets.
  [[nodiscard]] bool machine_fails() const {
    const auto fails = [](const std::vector<Check>& list) {
      return std::ranges::any_of(list, [](const Check& check) {
        return check.verdict == Verdict::kFail && check.name != "convergence" && check.name != "finite_values";
      });
    };
    return fails(checks) || std::ranges::any_of(others, [&](const OtherRank& other) { return fails(other.checks); });
  }
};

std::string as_json(const Findings& findings) {
  JsonWriter json;
  json.begin_object().member("host", findings.host).member("verdict", to_string(findings.worst()));
  add_checks(json, findings.checks);
  json.key("other_ranks").begin_array();
  for (const OtherRank& other : findings.others) {
    json.begin_object().member("rank", other.rank).member("host", other.host);
    add_checks(json, other.checks);
    json.end_object();
  }
  return json.end_array().end_object().take();
}

std::string as_text(const Findings& findings) {
  std::string text;
  for (const Check& check : findings.checks) text += line_of(check);
  for (std::size_t i = 0; i < std::min(kMostOthers, findings.others.size()); ++i) {
    const OtherRank& other = findings.others[i];
    text += fmt::format("rank {} on {}:\n", other.rank, other.host);
    for (const Check& check : other.checks) text += line_of(check);
  }
  if (findings.others.size() > kMostOthers)
    text += fmt::format("and {} ranks more; --json lists all\n", findings.others.size() - kMostOthers);
  return text;
}

/// The first rank listens on the coordinator's port, all others connect.
void reach_coordinator(Communicator& ranks, MachineFacts& facts) {
  constexpr double kSeconds = 5;
  std::optional<CoordinatorListener> listener;
  const bool is_first = ranks.rank() == 0, is_known = facts.coordinator.fault.empty();
  std::int32_t listens = 0;
  try {
    if (is_first && is_known) listener.emplace(facts.coordinator.value);
    listens = listener ? 1 : 0;
  } catch (const CommError& error) {
    facts.port_fault = error.what();
  }
  listens = ranks.broadcast(std::span<const std::int32_t>(&listens, 1), 0).front();
  try {
    if (!is_first && is_known && listens == 1) expect_coordinator_answers(facts.coordinator.value, kSeconds);
  } catch (const CommError& error) {
    facts.port_fault = error.what();
  }
  ranks.barrier();
}

ExitCode run_doctor(const DoctorOptions& options) {
  MachineFacts facts = machine_facts(options.results);
  std::unique_ptr<Communicator> ranks;
  try {
    ranks = open_ranks();
    expect_slurm_variables();
    facts.ranks.value = ranks->size();
  } catch (const CommError& error) {
    facts.ranks.fault = error.what();
  }
  if (ranks && ranks->size() > 1) reach_coordinator(*ranks, facts);
  Findings findings{facts.host, all_checks(facts), {}};
  if (ranks && ranks->size() > 1) {
    const std::vector<std::string> all = gather_texts(*ranks, packed(findings.host, findings.checks));
    if (ranks->rank() != 0) return ExitCode::kDone;
    for (std::size_t r = 1; r < all.size(); ++r) {
      OtherRank other = unpacked(static_cast<std::int64_t>(r), all[r], findings.checks);
      if (!other.checks.empty()) findings.others.push_back(std::move(other));
    }
  } else if (!facts.is_first_rank) {
    return ExitCode::kDone;  // the first one meets the same and says it
  }
  write_stdout(options.json ? as_json(findings) : as_text(findings));
  if (findings.machine_fails()) return ExitCode::kDevice;
  return findings.worst() == Verdict::kFail ? ExitCode::kNumerical : ExitCode::kDone;
}

}  // namespace

Action add_doctor(CLI::App& app) {
  const auto options = std::make_shared<DoctorOptions>();
  app.add_option("RESULTS", options->results, "Output folder of a run, to look at its diagnostics too");
  app.add_flag("--json", options->json, "Print one JSON object");
  app.footer(
      "One line for each check: ok, absent (not there, not needed), warn, or fail, then what there is and the\n"
      "way out. The exit status is 0 unless a check fails: 6 for this machine, 4 for RESULTS. Under mpirun or\n"
      "srun all ranks look, and the first one tells what others found that it did not.\n\n"
      "Examples:\n"
      "  sojourn doctor\n"
      "  srun --nodes=1 --ntasks=1 sojourn doctor\n"
      "  mpirun -n 4 sojourn doctor --json\n"
      "  sojourn doctor sojourn-result");
  return [options] { return run_doctor(*options); };
}

}  // namespace sojourn::cli
