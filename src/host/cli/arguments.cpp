#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <map>

#include "cli/numbers.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"

namespace sojourn::cli {
namespace {

bool is_flag(const std::string& argument) {
  if (argument.size() < 2 || argument[0] != '-') return false;
  if (argument[1] == '-') return argument.size() > 2;
  // -1, -.5, -inf and -nan are numbers.
  return std::isalpha(static_cast<unsigned char>(argument[1])) != 0 && argument.rfind("-inf", 0) != 0 &&
         argument.rfind("-nan", 0) != 0;
}

std::vector<std::string> flag_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

/// How many arguments without a flag a verb takes.
std::size_t num_positionals(const CLI::App& verb) {
  std::size_t count = 0;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_positional()) count += static_cast<std::size_t>(option->get_items_expected_max());
  }
  return count;
}

}  // namespace

void check_arguments(const CLI::App& verb, const std::vector<std::string>& arguments) {
  std::map<const CLI::Option*, std::string> given;
  std::vector<std::string> files;
  bool only_files = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (only_files || !is_flag(argument)) {
      if (argument == "--" && !only_files) {
        only_files = true;
      } else {
        files.push_back(argument);
      }
      continue;
    }
    const auto equals = argument[1] == '-' ? argument.find('=') : std::string::npos;
    const bool joined = equals != std::string::npos || (argument[1] != '-' && argument.size() > 2);
    const std::string flag = argument[1] == '-' ? argument.substr(0, equals) : argument.substr(0, 2);
    const CLI::Option* option = verb.get_option_no_throw(flag);
    SOJOURN_EXPECTS(option != nullptr, UsageError, "unknown flag {}{}; see sojourn {} --help", flag,
                    suggestion(flag, flag_names(verb)), verb.get_name());
    const bool repeatable = option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    SOJOURN_EXPECTS(given.emplace(option, flag).second || repeatable, UsageError, "{} is given twice; give it once",
                    flag);
    const bool takes_value = option->get_items_expected_max() > 0;
    if (!takes_value) {
      SOJOURN_EXPECTS(!joined, UsageError, "{} takes no value, got '{}'", flag, argument);
      continue;
    }
    if (equals != std::string::npos) {
      SOJOURN_EXPECTS(equals + 1 < argument.size(), UsageError, "{} needs a value behind '='", flag);
    } else if (!joined) {
      SOJOURN_EXPECTS(i + 1 < arguments.size(), UsageError, "{} needs a value: {} {}", flag, flag,
                      option->get_type_name());
      SOJOURN_EXPECTS(!arguments[i + 1].empty() && !is_flag(arguments[i + 1]), UsageError,
                      "{} needs a value before '{}'", flag, arguments[i + 1]);
      ++i;
    }
  }
  const std::size_t allowed = num_positionals(verb);
  if (files.size() <= allowed) return;
  const std::string& extra = files[allowed];
  throw UsageError(fmt::format("sojourn {} takes {}, but '{}' is left over{}; see sojourn {} --help", verb.get_name(),
                               allowed == 0 ? "no file" : "one file", extra,
                               parse_double(extra) ? "; numbers of one option are joined by commas, as 0.5,1,2" : "",
                               verb.get_name()));
}

}  // namespace sojourn::cli
