#include "cli/help_format.hpp"

#include <sstream>

namespace sojourn::cli {

std::string wrap(const std::string& text, std::size_t width, std::size_t indent) {
  std::istringstream words(text);
  std::string result, word;
  std::size_t column = 0;
  while (words >> word) {
    if (column > 0 && column + 1 + word.size() > width) {
      result += '\n' + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

HelpFormatter::HelpFormatter() {
  column_width(30);
  label("SUBCOMMAND", "VERB");
  label("OPTIONS", "options");
  label("Positionals", "Arguments");
}

std::string HelpFormatter::entry(const std::string& name, const std::string& description) const {
  const std::size_t column = get_column_width();
  std::string text = "  " + name;
  text += text.size() + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - text.size(), ' ');
  return text + wrap(description, kHelpWidth - column, column) + '\n';
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = option->get_name(is_positional, true);
  if (const auto comma = name.find(','); comma != std::string::npos) name.insert(comma + 1, " ");
  if (!is_positional && !option->get_type_name().empty() && option->get_items_expected_max() > 0) {
    name += ' ' + option->get_type_name();
  }
  std::string description = option->get_description();
  if (!option->get_default_str().empty()) description += " [" + option->get_default_str() + "]";
  return entry(name, description);
}

std::string HelpFormatter::make_subcommand(const CLI::App* verb) const {
  return entry(verb->get_name(), verb->get_description());
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  const std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
  std::string result;
  for (const char letter : text) {
    const bool third = letter == '\n' && result.size() > 1 && result.compare(result.size() - 2, 2, "\n\n") == 0;
    if (!third) result += letter;
  }
  return result;
}

}  // namespace sojourn::cli
