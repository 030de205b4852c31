#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sojourn::cli {

/// Columns of a help text.
inline constexpr std::size_t kHelpWidth = 100;

/// Breaks a text at spaces into lines of at most `width` columns; all but the first are indented. A word that is longer
/// than a line stays whole.
std::string wrap(const std::string& text, std::size_t width, std::size_t indent);

/// Help texts that fit a terminal: option descriptions wrap inside their column, one blank line between groups.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  [[nodiscard]] std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  [[nodiscard]] std::string make_option(const CLI::Option* option, bool is_positional) const override;
  [[nodiscard]] std::string make_subcommand(const CLI::App* verb) const override;

 private:
  [[nodiscard]] std::string entry(const std::string& name, const std::string& description) const;
};

}  // namespace sojourn::cli
