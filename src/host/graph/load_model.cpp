#include "graph/load_model.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "expects.hpp"
#include "model/suggest.hpp"

namespace sojourn {
namespace {

using Value = Document::Value;

constexpr int kSchemaVersion = 1;
constexpr std::string_view kSchemaPrefix = "sojourn/model/";

DocumentLimits document_limits(const ModelLimits& limits) {
  DocumentLimits result;
  result.max_bytes = limits.max_bytes;
  return result;
}

void check_schema(const Value& root, bool required) {
  const auto schema = root.find("schema");
  if (!schema) {
    if (!required) return;
    const bool is_run = root.find("model") || root.find("priors");
    root.fail(fmt::format("missing key 'schema'; add 'schema: {}{}'", is_run ? "sojourn/run/" : kSchemaPrefix,
                          kSchemaVersion));
  }
  const std::string text = schema->as_string();
  int version = 0;
  const char* digits = text.data() + std::min(kSchemaPrefix.size(), text.size());
  const char* end = text.data() + text.size();
  const bool readable = text.starts_with(kSchemaPrefix) && digits != end &&
                        std::all_of(digits, end, [](char c) { return c >= '0' && c <= '9'; });
  if (!readable)
    schema->fail(fmt::format("schema '{}' is not a model's; must be '{}{}'", text, kSchemaPrefix, kSchemaVersion));
  const auto [stop, fault] = std::from_chars(digits, end, version);
  if (fault != std::errc() || version > kSchemaVersion)
    schema->fail(fmt::format("schema {} is newer than {}; upgrade sojourn", std::string(digits, end), kSchemaVersion));
  if (version < kSchemaVersion)
    schema->fail(
        fmt::format("schema {} is older than {}, the oldest that is read; rewrite the file", version, kSchemaVersion));
}

Parameter read_parameter(const Value& value) {
  Parameter parameter;
  if (value.is_mapping()) {
    value.expect_keys({"name", "lower", "upper"});
    parameter.name = value.at("name").as_string();
    const auto bound = [&](const char* key, double fallback) {
      const auto member = value.find(key);
      if (!member) return fallback;
      const double number = member->as_any_double();
      if (std::isnan(number)) member->fail("a bound must be a number or .inf, got NaN");
      return number;
    };
    parameter.upper = bound("upper", parameter.upper);
    parameter.lower = bound("lower", std::min(parameter.lower, parameter.upper));
    if (!(parameter.lower < parameter.upper))
      value.fail(fmt::format("lower {} must be below upper {}", parameter.lower, parameter.upper));
  } else {
    parameter.name = value.as_string();
  }
  const bool printable = std::none_of(parameter.name.begin(), parameter.name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == ',' || c == '"';
  });
  if (parameter.name.empty() || !printable)
    value.fail(fmt::format("parameter name '{}' must be text without spaces, commas and quotes", parameter.name));
  return parameter;
}

void read_parameters(const Value& root, ModelHeader& header) {
  const auto list = root.find("parameters");
  if (!list) return;
  header.has_parameters = true;
  list->expect(ValueKind::kSequence);
  for (std::size_t p = 0; p < list->size(); ++p) {
    header.parameters.push_back(read_parameter((*list)[p]));
    const std::string& name = header.parameters.back().name;
    for (std::size_t q = 0; q < p; ++q)
      if (header.parameters[q].name == name)
        (*list)[p].fail(fmt::format("parameter '{}' is given twice (positions {} and {}); rename one", name, q, p));
    header.rate_names.push_back(name);
  }
  header.rates = RateMap::identity(static_cast<std::int32_t>(header.parameters.size()));
}

/// A derived rate that no parameter is in is a constant rate.
void expect_constants_are_rates(const RateMap& rates, const Value& derived) {
  std::vector<double> theta(static_cast<std::size_t>(rates.num_parameters()), 1.0);
  std::vector<double> phi(static_cast<std::size_t>(rates.num_rates()));
  rates.evaluate(theta, phi);
  for (std::int32_t r = 0; r < rates.num_rates(); ++r) {
    bool is_constant = true;
    for (std::int32_t p = 0; p < rates.num_parameters(); ++p) is_constant = is_constant && !rates.depends(r, p);
    if (is_constant && !(phi[r] > 0 && std::isfinite(phi[r])))
      derived[static_cast<std::size_t>(r)].fail(
          fmt::format("derived rate '{}' is {} whatever the parameters are; a constant rate must be finite and > 0",
                      rates.names()[r], phi[r]));
  }
}

void read_derived(const Value& root, ModelHeader& header) {
  const auto derived = root.find("derived");
  if (!derived) return;
  if (!header.has_parameters) derived->fail("derived rates need 'parameters' to be derived from; list their names");
  header.has_derived = true;
  std::vector<std::string> names = derived->keys(), expressions;
  if (names.empty()) derived->fail("no derived rate is given; write 'rate: expression' or remove the key");
  for (std::size_t r = 0; r < derived->size(); ++r) expressions.push_back((*derived)[r].as_string());
  try {
    header.rates = RateMap::derived(header.rate_names, names, expressions);
  } catch (const ModelError& error) {
    const std::string message = error.what();
    for (std::size_t r = 0; r < names.size(); ++r)
      if (message.starts_with(fmt::format("derived rate '{}':", names[r]))) (*derived)[r].fail(message);
    derived->fail(message);
  }
  expect_constants_are_rates(header.rates, *derived);
  header.rate_names = std::move(names);
}

ModelHeader read_header(const Value& root) {
  ModelHeader header;
  const auto name = root.find("name");
  header.name = name ? name->as_string() : "model";
  if (const auto time = root.find("time")) {
    header.has_time = true;
    static const std::vector<std::string> kinds{"continuous", "discrete"};
    header.time_kind = time->as_one_of(kinds) == "discrete" ? TimeKind::kDiscrete : TimeKind::kContinuous;
  }
  read_parameters(root, header);
  read_derived(root, header);
  return header;
}

struct Form {
  const char* description;
  const char* sign;  ///< the key that tells this form
  std::vector<std::string> keys;
};

/// The one form whose keys are there. A key of another form is named with its line.
const Form& find_form(const Value& root) {
  static const std::vector<std::string> common{"schema", "name", "time", "parameters", "derived"};
  static const std::vector<Form> forms{
      {"explicit", "edges", {"states", "initial", "edges", "rewards"}},
      {"rule", "rules", {"variables", "rules", "absorbing", "rewards"}},
      {"family", "family", {"family"}},
  };
  std::vector<std::string> all = common;
  for (const Form& form : forms) all.insert(all.end(), form.keys.begin(), form.keys.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  root.expect_keys(all);

  const Form* found = nullptr;
  for (const Form& form : forms) {
    if (!root.find(form.sign)) continue;
    if (found != nullptr)
      root.fail(
          fmt::format("'{}' and '{}' are both given; a model has exactly one of states and edges, variables and "
                      "rules, family",
                      found->sign, form.sign));
    found = &form;
  }
  if (found == nullptr && root.find("states"))
    root.fail("missing key 'edges'; a model with 'states' lists the edges between them");
  if (found == nullptr && root.find("variables"))
    root.fail("missing key 'rules'; a model with 'variables' has rules that change them");
  if (found == nullptr)
    root.fail("the model has no states; give exactly one of states with edges, variables with rules, family");
  for (const std::string& key : root.keys()) {
    const auto has = [&](const std::vector<std::string>& keys) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    if (!has(common) && !has(found->keys))
      root.at(key).fail(fmt::format("key '{}' does not belong in a model given by '{}' (allowed: {})", key, found->sign,
                                    list_names(found->keys)));
  }
  return *found;
}

}  // namespace

void expect_reward_name(const Document::Value& reward) {
  const std::string_view name = reward.key();
  const bool printable = std::none_of(
      name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == ',' || c == '"'; });
  if (name.empty() || !printable)
    reward.fail(fmt::format("reward name '{}' must be text without commas and quotes", name));
}

void fail_at(const Document::Value& value, const std::string& message) {
  if (message.starts_with(value.origin() + ":")) throw ModelError(message);
  value.fail(message);
}

Model model_from_document(const Document::Value& root, const ModelLimits& limits, bool schema_required) {
  root.expect(ValueKind::kMapping);
  check_schema(root, schema_required);
  const Form& form = find_form(root);
  ModelHeader header = read_header(root);
  Model model;
  if (std::string_view(form.sign) == "family") {
    model = load_family_model(root, header, limits);
  } else {
    if (!header.has_parameters) root.fail("missing key 'parameters'; list their names, or [] where there are none");
    model.graph = std::string_view(form.sign) == "rules" ? load_rule_graph(root, header, limits)
                                                         : load_explicit_graph(root, header, limits);
    model.name = std::move(header.name);
    model.parameters = std::move(header.parameters);
    model.rates = std::move(header.rates);
  }
  for (std::string& warning : model_warnings(model)) model.warnings.push_back(std::move(warning));
  return model;
}

Model load_model(const std::string& path, const ModelLimits& limits) {
  return model_from_document(Document::load(path, document_limits(limits)).root(), limits);
}

Model parse_model(std::string_view text, const std::string& origin, const ModelLimits& limits) {
  return model_from_document(Document::parse(text, origin, document_limits(limits)).root(), limits);
}

}  // namespace sojourn
