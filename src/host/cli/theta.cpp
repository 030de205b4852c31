#include "cli/theta.hpp"

#include <algorithm>
#include <cmath>

#include "cli/json_writer.hpp"
#include "cli/numbers.hpp"
#include "expects.hpp"
#include "model/document.hpp"
#include "model/suggest.hpp"
#include "posterior/csv.hpp"

namespace sojourn::cli {
namespace {

void check_theta(const Model& model, std::span<const double> theta, const std::string& where) {
  const std::size_t wanted = model.parameters.size();
  SOJOURN_EXPECTS(theta.size() == wanted, UsageError, "{}: {} values given, but the model has {} parameter{}: {}",
                  where, theta.size(), wanted, wanted == 1 ? "" : "s", list_names(parameter_names(model)));
  for (std::size_t p = 0; p < wanted; ++p) {
    SOJOURN_EXPECTS(std::isfinite(theta[p]), UsageError, "{}: parameter {} ({}) is {}, it must be finite", where, p + 1,
                    model.parameters[p].name, format_number(theta[p]));
  }
}

}  // namespace

std::vector<std::string> parameter_names(const Model& model) {
  std::vector<std::string> names;
  for (const Parameter& parameter : model.parameters) names.push_back(parameter.name);
  return names;
}

std::string describe_theta(const Model& model, std::span<const double> theta) {
  std::string text;
  for (std::size_t p = 0; p < theta.size(); ++p) {
    text += fmt::format("{}{}={}", p > 0 ? ", " : "", model.parameters[p].name, format_number(theta[p]));
  }
  return text;
}

std::vector<double> parse_theta(const Model& model, const std::string& text) {
  std::vector<double> theta = parse_list("--theta", text);
  check_theta(model, theta, "--theta " + text);
  return theta;
}

NumberTable read_number_table(const std::string& path, const std::string& what) {
  DocumentLimits limits;
  limits.what = what;
  limits.max_bytes = 4LL << 30;
  const std::string text = read_text_file(path, limits);
  const std::string origin = path == "-" ? "<stdin>" : path;
  refuse_binary(text, origin);
  CsvReader reader(text, origin);
  NumberTable table;
  std::vector<double> values;
  std::size_t num_columns = 0, num_rows = 0;
  while (reader.next()) {
    const auto fields = reader.fields();
    const auto is_number = [](std::string_view field) { return parse_double(field).has_value(); };
    if (num_columns == 0) {
      num_columns = fields.size();
      if (std::none_of(fields.begin(), fields.end(), is_number)) {
        for (const std::string_view field : fields) table.header.emplace_back(field);
        continue;
      }
    }
    SOJOURN_EXPECTS(fields.size() == num_columns, ModelError, "{}: row {}: expected {} fields, got {}", origin,
                    reader.row(), num_columns, fields.size());
    if (num_rows == 0) table.first_row = reader.row();
    for (std::size_t c = 0; c < num_columns; ++c) {
      const std::optional<double> value = parse_double(fields[c]);
      SOJOURN_EXPECTS(value, ModelError, "{}: row {}: column {}: {} is not a number; write it with a decimal point",
                      origin, reader.row(), c + 1, printable(fields[c]));
      values.push_back(*value);
    }
    ++num_rows;
  }
  SOJOURN_EXPECTS(num_rows > 0, ModelError, "{}: no rows of numbers; write one row for each {}", origin, what);
  table.values = Matrix<double>(num_rows, num_columns);
  table.values.values() = std::move(values);
  return table;
}

std::vector<std::size_t> columns_of(const NumberTable& table, const std::vector<std::string>& names,
                                    const std::string& path) {
  std::vector<std::size_t> columns;
  if (table.header.empty()) {
    SOJOURN_EXPECTS(table.values.num_cols() == names.size(), UsageError, "{}: {} columns, but {} are wanted: {}", path,
                    table.values.num_cols(), names.size(), list_names(names));
    for (std::size_t c = 0; c < names.size(); ++c) columns.push_back(c);
    return columns;
  }
  for (const std::string& name : names) {
    const auto found = std::find(table.header.begin(), table.header.end(), name);
    SOJOURN_EXPECTS(found != table.header.end(), ModelError, "{}: no column '{}'; its header has: {}", path, name,
                    list_names(table.header));
    SOJOURN_EXPECTS(std::count(table.header.begin(), table.header.end(), name) == 1, ModelError,
                    "{}: column '{}' stands twice in the header", path, name);
    columns.push_back(static_cast<std::size_t>(found - table.header.begin()));
  }
  return columns;
}

Matrix<double> read_thetas(const Model& model, const std::vector<std::string>& texts, const std::string& file) {
  std::vector<double> values;
  for (const std::string& text : texts) {
    const std::vector<double> theta = parse_theta(model, text);
    values.insert(values.end(), theta.begin(), theta.end());
  }
  std::size_t num_thetas = texts.size();
  if (!file.empty()) {
    const NumberTable table = read_number_table(file, "parameter vector");
    const std::vector<std::size_t> columns = columns_of(table, parameter_names(model), file);
    std::vector<double> theta(columns.size());
    for (std::size_t r = 0; r < table.values.num_rows(); ++r) {
      for (std::size_t p = 0; p < columns.size(); ++p) theta[p] = table.values(r, columns[p]);
      check_theta(model, theta, fmt::format("{}: row {}", file, table.first_row + static_cast<std::int64_t>(r)));
      values.insert(values.end(), theta.begin(), theta.end());
    }
    num_thetas += table.values.num_rows();
  }
  if (num_thetas == 0 && model.parameters.empty()) num_thetas = 1;
  SOJOURN_EXPECTS(num_thetas > 0, UsageError, "no parameters given; add --theta with a value for each of: {}",
                  list_names(parameter_names(model)));
  Matrix<double> thetas(num_thetas, model.parameters.size());
  thetas.values() = std::move(values);
  return thetas;
}

std::vector<NamedReward> all_rewards(const Model& model) {
  std::vector<NamedReward> rewards;
  for (const Reward& reward : model.graph.rewards()) rewards.push_back({reward.name, reward.values});
  if (rewards.empty()) rewards.push_back({"time", model.graph.unit_reward()});
  return rewards;
}

std::vector<NamedReward> choose_rewards(const Model& model, const std::vector<std::string>& names,
                                        const std::string& option) {
  std::vector<std::string> wanted;
  for (const std::string& list : names) {
    for (std::size_t begin = 0; begin <= list.size();) {
      const auto end = std::min(list.find(',', begin), list.size());
      wanted.push_back(list.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  if (wanted.empty()) return {{"time", model.graph.unit_reward()}};
  std::vector<std::string> known;
  for (const Reward& reward : model.graph.rewards()) known.push_back(reward.name);
  const bool has_time = std::find(known.begin(), known.end(), "time") != known.end();
  if (!has_time) known.emplace_back("time");
  std::vector<NamedReward> rewards;
  for (const std::string& name : wanted) {
    SOJOURN_EXPECTS(std::find(known.begin(), known.end(), name) != known.end(), UsageError,
                    "{}: no reward '{}'{}; there are: {}", option, name, suggestion(name, known), list_names(known));
    for (const NamedReward& reward : rewards) {
      SOJOURN_EXPECTS(reward.name != name, UsageError, "{}: '{}' is named twice", option, name);
    }
    if (name == "time" && !has_time) {
      rewards.push_back({name, model.graph.unit_reward()});
    } else {
      const auto values = model.graph.reward(name);
      rewards.push_back({name, std::vector<double>(values.begin(), values.end())});
    }
  }
  return rewards;
}

}  // namespace sojourn::cli
