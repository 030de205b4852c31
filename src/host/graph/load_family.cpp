#include "expects.hpp"
#include "graph/load_model.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

FamilyValue read_option(const Document::Value& value) {
  if (value.is_sequence()) return value.as_doubles();
  if (value.is_bool()) return value.as_bool();
  if (value.is_integer()) return value.as_integer();
  if (value.is_number()) return value.as_double();
  if (value.is_scalar()) return value.as_string();
  value.fail(fmt::format("expected a number, text, true, false or a list of numbers, got {}", value.describe()));
}

}  // namespace

Model load_family_model(const Document::Value& root, const ModelHeader& header, const ModelLimits& limits) {
  const Document::Value family = root.at("family");
  family.expect(ValueKind::kMapping);
  if (family.size() != 1)
    family.fail(fmt::format("expected one family as {{name: {{options}}}}, got {}", family.describe()));
  const Document::Value given = family[0];
  std::map<std::string, FamilyValue> options;
  if (!given.is_null()) {
    given.expect(ValueKind::kMapping);
    for (std::size_t i = 0; i < given.size(); ++i) options.emplace(std::string(given[i].key()), read_option(given[i]));
  }
  Model model;
  try {
    model = make_family(std::string(given.key()), options, limits.max_states);
  } catch (const ModelError& error) {
    given.fail(error.what());
  }
  if (root.find("name")) model.name = header.name;
  if (header.has_time && header.time_kind != model.graph.time_kind())
    root.at("time").fail(fmt::format("the family '{}' is {} in time; remove the key", given.key(),
                                     model.graph.time_kind() == TimeKind::kDiscrete ? "discrete" : "continuous"));
  if (!header.has_parameters) return model;

  std::string order;
  for (const Parameter& parameter : model.parameters) order += (order.empty() ? "" : ", ") + parameter.name;
  const std::size_t num_rates = header.rate_names.size();
  if (num_rates != model.parameters.size())
    root.at(header.has_derived ? "derived" : "parameters")
        .fail(fmt::format("{} names for the {} parameters of the family '{}'; they are, in order: {}", num_rates,
                          model.parameters.size(), given.key(), order));
  if (header.has_derived && !model.rates.is_identity())
    root.at("derived").fail(fmt::format("the family '{}' derives its rates itself; remove the key", given.key()));
  model.parameters = header.parameters;
  if (header.has_derived) model.rates = header.rates;
  return model;
}

}  // namespace sojourn
