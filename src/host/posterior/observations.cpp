#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>

#include "expects.hpp"
#include "model/document.hpp"
#include "model/suggest.hpp"
#include "posterior/csv.hpp"
#include "sojourn/memory.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Counts beyond this are not exact in double.
constexpr double kLargestCount = 0x1p53;

enum Column { kTime, kCount, kWeight, kLower, kUpper, kEvent, kEntry, kNumColumns };
constexpr std::array<const char*, kNumColumns> kColumnNames = {"time",  "count", "weight", "lower",
                                                               "upper", "event", "entry"};

/// A cell that says "missing" where a value is needed.
struct MissingValue : ModelError {
  using ModelError::ModelError;
};

/// Turns rows into observations.
class RowParser {
 public:
  RowParser(CsvReader& csv, TimeKind time_kind) : csv_(csv), counts_(time_kind == TimeKind::kDiscrete) {
    position_.fill(-1);
    read_header();
  }
  Observation parse() const;

 private:
  void read_header();
  [[nodiscard]] bool has(Column column) const { return position_[column] >= 0; }
  [[nodiscard]] std::string where(Column column) const {
    return fmt::format("{}: row {}, column '{}'", csv_.origin(), csv_.row(), kColumnNames[column]);
  }
  [[nodiscard]] std::optional<double> number(Column column) const;
  [[nodiscard]] std::optional<double> point(Column column, bool may_be_infinite) const;
  void read_interval(Observation& observation) const;

  CsvReader& csv_;
  bool counts_;
  std::array<int, kNumColumns> position_{};
  std::size_t num_fields_ = 0;
};

void RowParser::read_header() {
  SOJOURN_EXPECTS(csv_.next(), ModelError,
                  "{}: empty data file: no observations; write a header such as 'time' and one row per observation",
                  csv_.origin());
  const std::vector<std::string> names(kColumnNames.begin(), kColumnNames.end());
  num_fields_ = csv_.fields().size();
  for (std::size_t f = 0; f < num_fields_; ++f) {
    const std::string_view field = csv_.fields()[f];
    const auto found = std::find(names.begin(), names.end(), field);
    if (found == names.end()) {
      double ignored = 0;
      const bool is_number =
          std::from_chars(field.data(), field.data() + field.size(), ignored).ec == std::errc{} && !field.empty();
      const bool other_separator = field.find_first_of(";\t") != std::string_view::npos;
      SOJOURN_EXPECTS(!is_number, ModelError,
                      "{}: row 1: {} is a number where a column name is wanted; the first row is a header: {}",
                      csv_.origin(), printable(field), list_names(names));
      SOJOURN_EXPECTS(!other_separator, ModelError,
                      "{}: row 1: {} is no column name; separate fields by commas, and write decimals with a point",
                      csv_.origin(), printable(field));
      SOJOURN_EXPECTS(false, ModelError, "{}: row 1: unknown column {}{}; columns are {}", csv_.origin(),
                      printable(field), suggestion(field, names), list_names(names));
    }
    const auto column = static_cast<std::size_t>(found - names.begin());
    SOJOURN_EXPECTS(position_[column] < 0, ModelError, "{}: row 1: column '{}' is given twice, as fields {} and {}",
                    csv_.origin(), *found, position_[column] + 1, f + 1);
    position_[column] = static_cast<int>(f);
  }
  SOJOURN_EXPECTS(!(counts_ && has(kTime)), ModelError,
                  "{}: row 1: column 'time', but the model is discrete in time: its data are whole numbers in a column "
                  "'count'",
                  csv_.origin());
  SOJOURN_EXPECTS(counts_ || !has(kCount), ModelError,
                  "{}: row 1: column 'count', but the model is continuous in time: its data are in a column 'time'",
                  csv_.origin());
  SOJOURN_EXPECTS(has(kLower) == has(kUpper), ModelError,
                  "{}: row 1: column '{}' without '{}'; an interval needs both (empty cells are open ends)",
                  csv_.origin(), has(kLower) ? "lower" : "upper", has(kLower) ? "upper" : "lower");
  SOJOURN_EXPECTS(has(kTime) || has(kCount) || has(kLower), ModelError,
                  "{}: row 1: no column '{}' (nor 'lower' and 'upper'): nothing is observed", csv_.origin(),
                  counts_ ? "count" : "time");
}

/// The number in a cell; none where the column is absent or the cell empty.
std::optional<double> RowParser::number(Column column) const {
  if (!has(column)) return std::nullopt;
  std::string_view field = csv_.fields()[position_[column]];
  if (field.empty()) return std::nullopt;
  std::string_view digits = field;
  if (digits.starts_with('+') && !digits.substr(1).starts_with('-')) digits.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  SOJOURN_EXPECTS(error != std::errc::result_out_of_range, ModelError,
                  "{}: {} is outside the range of double precision; change the unit of time", where(column),
                  printable(field));
  SOJOURN_EXPECTS(error == std::errc{} && end == digits.data() + digits.size(), ModelError, "{}: {} is not a number{}",
                  where(column), printable(field),
                  field.find(',') != std::string_view::npos ? "; write decimals with a point" : "");
  if (std::isnan(value))
    throw MissingValue(fmt::format("{}: {} is not an observation; delete the row", where(column), printable(field)));
  return value;
}

/// A time or count: finite, >= 0, whole in discrete time.
std::optional<double> RowParser::point(Column column, bool may_be_infinite) const {
  const std::optional<double> value = number(column);
  if (!value) return value;
  if (may_be_infinite && *value == kInfinity) return value;
  SOJOURN_EXPECTS(std::isfinite(*value), ModelError, "{}: {} must be finite; event 0 marks a right-censored row",
                  where(column), *value);
  SOJOURN_EXPECTS(*value >= 0, ModelError, "{}: {} must be >= 0", where(column), *value);
  if (counts_) {
    SOJOURN_EXPECTS(*value == std::floor(*value), ModelError,
                    "{}: {} is not a whole number, as a model discrete in time needs", where(column), *value);
    SOJOURN_EXPECTS(*value <= kLargestCount, ModelError, "{}: count {} is larger than 2^53, the largest allowed",
                    where(column), *value);
  }
  return *value + 0.0;  // -0 becomes 0
}

void RowParser::read_interval(Observation& observation) const {
  const Column main = counts_ ? kCount : kTime;
  const std::optional<double> lower = point(kLower, false);
  const std::optional<double> upper = point(kUpper, true);
  if (!lower && (!upper || *upper == kInfinity))
    throw MissingValue(
        has(main) ? fmt::format("{} is empty, and so are lower and upper", where(main))
                  : fmt::format("{}: row {}: neither lower nor upper says anything", csv_.origin(), csv_.row()));
  observation.upper = upper.value_or(kInfinity);
  if (lower) {
    SOJOURN_EXPECTS(*lower <= observation.upper, ModelError, "{}: {} is larger than upper, {}", where(kLower), *lower,
                    observation.upper);
    SOJOURN_EXPECTS(*lower >= observation.entry, ModelError,
                    "{}: {} is before entry, {}; an interval begins at entry or later", where(kLower), *lower,
                    observation.entry);
    observation.lower = *lower;
  } else {
    SOJOURN_EXPECTS(observation.upper > observation.entry || observation.entry == 0, ModelError,
                    "{}: entry {} must be before upper, {}", where(kEntry), observation.entry, observation.upper);
    observation.lower = observation.entry;
    observation.left_censored = observation.entry == 0 && observation.upper > 0;
  }
  SOJOURN_EXPECTS(!observation.exact() || observation.lower > observation.entry || observation.entry == 0, ModelError,
                  "{}: entry {} must be before the observation, {}", where(kEntry), observation.entry,
                  observation.lower);
  const std::optional<double> event = number(kEvent);
  SOJOURN_EXPECTS(!event || *event == 1 || (*event == 0 && observation.right_censored()), ModelError,
                  "{}: {} in a row with an interval; leave it empty, or leave upper empty for a right-censored row",
                  where(kEvent), *event);
}

Observation RowParser::parse() const {
  SOJOURN_EXPECTS(csv_.fields().size() == num_fields_, ModelError, "{}: row {}: expected {} field{}, got {}{}",
                  csv_.origin(), csv_.row(), num_fields_, num_fields_ == 1 ? "" : "s", csv_.fields().size(),
                  csv_.fields().size() == 2 * num_fields_ ? "; write decimals with a point, not a comma" : "");
  const Column main = counts_ ? kCount : kTime;
  Observation observation;
  if (has(kWeight)) {
    const std::optional<double> weight = number(kWeight);
    SOJOURN_EXPECTS(weight, ModelError, "{} is empty; write 1 for a single observation", where(kWeight));
    SOJOURN_EXPECTS(*weight > 0 && std::isfinite(*weight), ModelError, "{}: {} must be finite and > 0", where(kWeight),
                    *weight);
    observation.weight = *weight;
  }
  observation.entry = point(kEntry, false).value_or(0);
  const std::optional<double> value = point(main, false);
  if (!value) {
    if (has(kLower)) {
      read_interval(observation);
      return observation;
    }
    throw MissingValue(fmt::format("{} is empty; delete the row", where(main)));
  }
  SOJOURN_EXPECTS(observation.entry == 0 || observation.entry < *value, ModelError,
                  "{}: entry {} must be before {} {}: the row would not have been seen", where(kEntry),
                  observation.entry, kColumnNames[main], *value);
  if (has(kLower)) {
    // What is known more exactly counts, but not against what else the row says.
    const std::optional<double> lower = point(kLower, false), upper = point(kUpper, true);
    SOJOURN_EXPECTS((!lower || *lower <= *value) && (!upper || *value <= *upper), ModelError,
                    "{}: {} is not between lower and upper of its row, {} and {}; leave one of both empty", where(main),
                    *value, lower.value_or(0), upper.value_or(kInfinity));
  }
  observation.lower = observation.upper = *value;
  if (has(kEvent)) {
    const std::optional<double> event = number(kEvent);
    SOJOURN_EXPECTS(event, ModelError, "{} is empty; 1 is observed, 0 right-censored", where(kEvent));
    SOJOURN_EXPECTS(*event == 0 || *event == 1, ModelError, "{}: {} must be 1 (observed) or 0 (right-censored)",
                    where(kEvent), *event);
    if (*event == 0) observation.upper = kInfinity;
  }
  return observation;
}

/// Merges equal rows, keeping the first one's place and number; weights are summed in row order.
void merge(Observations& observations) {
  auto& items = observations.items;
  auto& rows = observations.first_row;
  const auto key = [&](std::size_t i) {
    const Observation& item = items[i];
    return std::make_tuple(item.lower, item.upper, item.entry, item.left_censored);
  };
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    const auto a = key(i), b = key(j);
    return a != b ? a < b : i < j;
  });
  std::vector<char> keep(items.size(), 0);
  std::size_t first = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k == 0 || key(order[k]) != key(first)) {
      first = order[k];
      keep[first] = 1;
    } else {
      items[first].weight += items[order[k]].weight;
      SOJOURN_EXPECTS(std::isfinite(items[first].weight), ModelError,
                      "{}: the weights of the rows equal to row {} sum to more than double precision holds",
                      observations.origin, rows[first]);
    }
  }
  std::size_t num_kept = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!keep[i]) continue;
    items[num_kept] = items[i];
    rows[num_kept++] = rows[i];
  }
  items.resize(num_kept);
  items.shrink_to_fit();
  rows.resize(num_kept);
  rows.shrink_to_fit();
}

/// Room for the rows of a text, checked before any is read.
void reserve_rows(std::string_view csv, Observations& observations) {
  const std::int64_t rows = std::count(csv.begin(), csv.end(), '\n') + 1, left = memory_left();
  // With the order that equal rows are merged in.
  constexpr std::int64_t kBytesPerRow = sizeof(Observation) + sizeof(std::int64_t) + sizeof(std::size_t) + 1;
  SOJOURN_EXPECTS(rows <= left / kBytesPerRow, ModelError,
                  "{}: {} rows take {} bytes of memory, {} are left; merge equal rows by the weight column, or raise "
                  "--max-memory where the machine has more",
                  observations.origin, rows, rows * kBytesPerRow, left);
  observations.items.reserve(static_cast<std::size_t>(rows));
  observations.first_row.reserve(static_cast<std::size_t>(rows));
}

}  // namespace

Observations load_observations(const std::string& path, TimeKind time_kind) {
  DocumentLimits limits;
  limits.what = "data";
  limits.max_bytes = memory_left();
  limits.bytes_option = "the memory that is left (--max-memory),";
  return parse_observations(read_text_file(path, limits), path == "-" ? "standard input" : path, time_kind);
}

Observations parse_observations(std::string_view csv, const std::string& origin, TimeKind time_kind) {
  refuse_binary(csv, origin);
  CsvReader reader(csv, origin);
  const RowParser rows(reader, time_kind);
  Observations observations;
  observations.counts = time_kind == TimeKind::kDiscrete;
  observations.origin = origin;
  reserve_rows(csv, observations);
  // A file of missing values alone has no observations; one missing value among others is an error of its row.
  std::optional<MissingValue> missing;
  while (reader.next()) {
    ++observations.num_rows;
    try {
      observations.items.push_back(rows.parse());
      observations.first_row.push_back(reader.row());
    } catch (const MissingValue& error) {
      if (!missing) missing = error;
    }
    if (missing && !observations.items.empty()) throw *missing;
  }
  SOJOURN_EXPECTS(!missing, ModelError, "{}: no observations: every row is missing a value; the first one: {}", origin,
                  missing ? missing->what() : "");
  SOJOURN_EXPECTS(observations.num_rows > 0, ModelError, "{}: no observations: the header is the only row", origin);
  merge(observations);
  return observations;
}

Observations exact_observations(std::span<const double> values, TimeKind time_kind, const std::string& origin) {
  SOJOURN_EXPECTS(!values.empty(), ModelError, "{}: no observations", origin);
  Observations observations;
  observations.counts = time_kind == TimeKind::kDiscrete;
  observations.origin = origin;
  observations.num_rows = std::ssize(values);
  observations.items.resize(values.size());
  observations.first_row.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    SOJOURN_EXPECTS(std::isfinite(values[i]) && values[i] >= 0, UsageError, "{}: value {}: {} must be finite and >= 0",
                    origin, i + 1, values[i]);
    SOJOURN_EXPECTS(!observations.counts || values[i] == std::floor(values[i]), UsageError,
                    "{}: value {}: {} must be a whole number in discrete time", origin, i + 1, values[i]);
    observations.items[i].lower = observations.items[i].upper = values[i];
    observations.first_row[i] = static_cast<std::int64_t>(i + 1);
  }
  merge(observations);
  return observations;
}

}  // namespace sojourn
