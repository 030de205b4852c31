#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/elimination_options.hpp"
#include "cli/help_format.hpp"
#include "cli/interrupt.hpp"
#include "cli/streams.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "result/build_facts.hpp"

namespace sojourn::cli {
namespace {

struct VerbEntry {
  const char* name;
  const char* description;
  Action (*add)(CLI::App&);
};

constexpr VerbEntry kVerbs[] = {
    {"infer", "Fit a model to data: writes a posterior sample, its diagnostics and a report", add_infer},
    {"evaluate", "Compute moments, densities, quantiles, likelihoods and gradients at given parameters", add_evaluate},
    {"sample", "Draw random values of a model", add_sample},
    {"simulate", "Write a synthetic data set for a run file", add_simulate},
    {"inspect", "Show a model's size, structure, cost and which parameters data can tell apart", add_inspect},
    {"check", "Validate a model, run or data file and run nothing", add_check},
    {"bench", "Measure throughput on this machine and its share of the machine's limit", add_bench},
    {"precompute", "Fill the elimination cache with the components of models", add_precompute},
    {"cache", "List, verify or clear the elimination cache", add_cache},
    {"slurm", "Write a batch script that runs a job on a SLURM cluster", add_slurm},
    {"doctor", "Check this machine, its cluster and a run's results, with the way out of what is wrong", add_doctor},
    {"info", "Show what this build can do and which devices it sees", add_info},
};

constexpr char kDescription[] =
    "Sojourn: Bayesian inference with parametric phase-type distributions, the time (or reward)\n"
    "that a Markov chain gathers until it is absorbed.";

constexpr char kFooter[] =
    "Example: from a model to a posterior\n"
    "  cat > kingman.yaml <<END\n"
    "  schema: sojourn/model/1\n"
    "  name: kingman\n"
    "  parameters: [theta]\n"
    "  family: {coalescent: {samples: 10, state: lineages}}\n"
    "  END\n"
    "  cat > run.yaml <<END\n"
    "  schema: sojourn/run/1\n"
    "  model: kingman.yaml\n"
    "  data: {file: times.csv}\n"
    "  priors: {theta: {lognormal: {mean: 0, sd: 1}}}\n"
    "  END\n"
    "  sojourn inspect kingman.yaml\n"
    "  sojourn evaluate kingman.yaml --theta 1.5 --moments 2 --pdf 0.5,1,2\n"
    "  sojourn simulate run.yaml --theta 1.5 -n 200 --output times.csv\n"
    "  sojourn infer run.yaml\n\n"
    "sojourn VERB --help explains a verb. Data goes to standard output, messages to standard error.\n"
    "Exit status: 0 done, 1 internal failure, 2 usage, 3 invalid file, 4 numerical failure,\n"
    "5 input or output, 6 device or communication, 75 stopped at a checkpoint, run again,\n"
    "130 interrupted.";

std::vector<std::string> verb_names() {
  std::vector<std::string> names;
  for (const VerbEntry& verb : kVerbs) names.emplace_back(verb.name);
  return names;
}

/// The arguments that stand behind the verb; also rejects what stands before it or in its place.
std::vector<std::string> arguments_of_verb(const std::vector<std::string>& arguments) {
  const std::vector<std::string> names = verb_names();
  const std::string& first = arguments.front();
  if (first.size() > 1 && first[0] == '-') {
    const std::vector<std::string> flags{"--help", "-h", "--version"};
    for (const std::string& flag : flags) {
      if (first == flag) return {};
    }
    throw UsageError(fmt::format("unknown flag {}{}; options of a verb stand behind it; see sojourn --help", first,
                                 suggestion(first, flags)));
  }
  for (const std::string& name : names) {
    if (first == name) return {arguments.begin() + 1, arguments.end()};
  }
  throw UsageError(
      fmt::format("unknown verb '{}'{}; there are: {}", first, suggestion(first, names), list_names(names)));
}

bool wants_help(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") return false;
    if (argument == "--help" || argument == "-h") return true;
  }
  return false;
}

/// `help` and `help VERB` as others have it: the same as `--help` and `VERB --help`.
std::vector<std::string> with_help_as_flag(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  arguments.insert(arguments.begin() + (arguments.empty() ? 0 : 1), "--help");
  return arguments;
}

ExitCode run(const std::vector<std::string>& arguments) {
  CLI::App app(kDescription, "sojourn");
  app.footer(kFooter);
  app.set_version_flag(
      "--version", [] { return "sojourn " + build_facts().version; }, "Print the version");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Print this help");
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const VerbEntry& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.description)->group("Verbs");
    actions.emplace_back(sub, verb.add(*sub));
  }
  if (arguments.empty()) {
    write_stderr(app.help());
    return ExitCode::kUsage;
  }
  const std::vector<std::string> behind_verb = arguments_of_verb(arguments);
  // What the environment asks for is checked before any work.
  (void)log_level();
  (void)instruction_set();
  if (!wants_help(behind_verb)) {
    for (const auto& [sub, action] : actions) {
      if (sub->get_name() == arguments.front()) check_arguments(*sub, behind_verb);
    }
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    write_stdout(chosen.empty() ? app.help() : chosen.front()->help("sojourn"));
    return ExitCode::kDone;
  } catch (const CLI::CallForVersion& version) {
    write_stdout(std::string(version.what()) + '\n');
    return ExitCode::kDone;
  } catch (const CLI::RequiredError& error) {
    throw UsageError(fmt::format("{}; see sojourn {} --help", error.what(), arguments.front()));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  for (const auto& [sub, action] : actions) {
    if (sub->parsed()) {
      apply_elimination_options(*sub);
      const ExitCode code = action();
      // What a scheduler sent either ended the program or is in the code.
      return stop_request() == StopRequest::kUser ? ExitCode::kInterrupted : code;
    }
  }
  return ExitCode::kUsage;
}

int fail(const std::string& message, ExitCode code) noexcept {
  try {
    write_stderr("error: " + message + '\n');
  } catch (...) {
    // Not even a line can be built: the status still tells.
  }
  return static_cast<int>(code);
}

}  // namespace

int run_command_line(int argc, const char* const* argv) noexcept {
  try {
    return static_cast<int>(run(with_help_as_flag({argv + (argc > 0 ? 1 : 0), argv + argc})));
  } catch (const OutputClosed&) {
    return static_cast<int>(ExitCode::kIo);
  } catch (const Error& error) {
    return fail(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail("out of memory; use a smaller model, fewer particles or fewer points", ExitCode::kInternal);
  } catch (const std::exception& error) {
    return fail(std::string("internal failure: ") + error.what() + "; please report it", ExitCode::kInternal);
  } catch (...) {
    return fail("internal failure of unknown kind; please report it", ExitCode::kInternal);
  }
}

}  // namespace sojourn::cli
