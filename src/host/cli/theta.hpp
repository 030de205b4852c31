#pragma once

#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"
#include "sojourn/model.hpp"

namespace sojourn::cli {

/// One parameter vector from the text of `--theta`, [P], in the model's order.
/// @throws UsageError for a wrong length or a value that is not finite.
std::vector<double> parse_theta(const Model& model, const std::string& text);

/// All parameter vectors of a call: those of `--theta` in order, then the rows of `--theta-file`. [K, P], K >= 1.
///
/// The file is a CSV with one row per vector. With a header its columns go by name and may stand in any order, columns
/// that are no parameters are ignored (so `particles.csv` of a run can be read back); without one they stand in the
/// model's order. @throws UsageError for none at all, a wrong length or a value that is not finite, ModelError for a
/// file that is no such table, IoError.
Matrix<double> read_thetas(const Model& model, const std::vector<std::string>& texts, const std::string& file);

/// A CSV of numbers with or without a header.
struct NumberTable {
  std::vector<std::string> header;  ///< empty without one
  Matrix<double> values;            ///< [rows, columns]; NaN and infinities as they stand
  std::int64_t first_row = 1;       ///< 1-based file row of values.row(0)
};
/// @throws IoError, ModelError (file, row, column) for ragged rows, text among numbers and an empty file.
NumberTable read_number_table(const std::string& path, const std::string& what);

/// Column of each of `names` in the table: by header, or in order without one.
/// @throws ModelError where a name has no column, or the count is wrong without header (UsageError if `usage`).
std::vector<std::size_t> columns_of(const NumberTable& table, const std::vector<std::string>& names,
                                    const std::string& path);

/// Names of the model's parameters, in order.
std::vector<std::string> parameter_names(const Model& model);

/// "a=1, b=2", for messages and tables.
std::string describe_theta(const Model& model, std::span<const double> theta);

/// The reward vectors named (comma-separated lists, in order), [R]; `time` is time itself unless the model has a reward
/// of that name. Empty `names`: time alone. @throws UsageError for an unknown or repeated name.
struct NamedReward {
  std::string name;
  std::vector<double> values;
};
std::vector<NamedReward> choose_rewards(const Model& model, const std::vector<std::string>& names,
                                        const std::string& option = "--rewards");

/// Every reward of the model; time where it has none.
std::vector<NamedReward> all_rewards(const Model& model);

}  // namespace sojourn::cli
