#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "expects.hpp"
#include "graph/family_build.hpp"
#include "model/suggest.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

/// Reads a family's options one by one, then refuses those that nothing asked for.
class FamilyOptions {
 public:
  FamilyOptions(const std::string& family, const std::map<std::string, FamilyValue>& values)
      : family_(family), values_(values) {}

  std::int32_t integer(const std::string& option) {
    const FamilyValue* value = find(option);
    SOJOURN_EXPECTS(value != nullptr, ModelError, "family '{}': option '{}' is missing; give a whole number{}", family_,
                    option, misspelt(option));
    return to_integer(option, *value);
  }
  std::int32_t integer(const std::string& option, std::int32_t otherwise) {
    const FamilyValue* value = find(option);
    return value == nullptr ? otherwise : to_integer(option, *value);
  }
  /// An option that goes by two names.
  std::int32_t integer_either(const std::string& option, const std::string& alias) {
    const FamilyValue* value = find(option);
    const FamilyValue* other = find(alias);
    SOJOURN_EXPECTS(value == nullptr || other == nullptr, ModelError,
                    "family '{}': '{}' and '{}' mean the same; give one", family_, option, alias);
    return value == nullptr && other != nullptr ? to_integer(alias, *other) : integer(option);
  }
  bool flag(const std::string& option, bool otherwise) {
    const FamilyValue* value = find(option);
    if (value == nullptr) return otherwise;
    SOJOURN_EXPECTS(std::holds_alternative<bool>(*value), ModelError, "family '{}': option '{}' must be true or false",
                    family_, option);
    return std::get<bool>(*value);
  }
  /// One of `allowed`, the first of which is the default.
  std::string choice(const std::string& option, const std::vector<std::string>& allowed) {
    const FamilyValue* value = find(option);
    if (value == nullptr) return allowed.front();
    const auto* text = std::get_if<std::string>(value);
    SOJOURN_EXPECTS(text != nullptr, ModelError, "family '{}': option '{}' must be one of {}", family_, option,
                    list_names(allowed));
    for (const std::string& name : allowed)
      if (*text == name) return name;
    throw ModelError(fmt::format("family '{}': {} '{}' is unknown{}; must be one of {}", family_, option, *text,
                                 suggestion(*text, allowed), list_names(allowed)));
  }
  std::optional<std::vector<double>> numbers(const std::string& option) {
    const FamilyValue* value = find(option);
    if (value == nullptr) return std::nullopt;
    if (const auto* list = std::get_if<std::vector<double>>(value)) return *list;
    if (const auto* number = std::get_if<double>(value)) return std::vector{*number};
    if (const auto* whole = std::get_if<std::int64_t>(value)) return std::vector{static_cast<double>(*whole)};
    throw ModelError(fmt::format("family '{}': option '{}' must be a list of numbers", family_, option));
  }
  std::vector<double> required_numbers(const std::string& option) {
    auto values = numbers(option);
    SOJOURN_EXPECTS(values.has_value(), ModelError, "family '{}': option '{}' is missing; give a list of numbers{}",
                    family_, option, misspelt(option));
    return *values;
  }
  std::vector<std::int32_t> required_integers(const std::string& option) {
    std::vector<std::int32_t> integers;
    for (const double value : required_numbers(option)) integers.push_back(to_integer(option, FamilyValue(value)));
    return integers;
  }

  /// Call after the last option was read and before the family is built.
  void refuse_unknown() {
    std::ranges::sort(asked_);
    const auto repeated = std::ranges::unique(asked_);
    asked_.erase(repeated.begin(), repeated.end());
    for (const auto& [option, value] : values_) {
      bool is_known = false;
      for (const std::string& asked : asked_) is_known = is_known || asked == option;
      SOJOURN_EXPECTS(is_known, ModelError, "family '{}': unknown option '{}'{}; options: {}", family_, option,
                      suggestion(option, asked_), list_names(asked_));
    }
  }

 private:
  const FamilyValue* find(const std::string& option) {
    asked_.push_back(option);
    const auto place = values_.find(option);
    return place == values_.end() ? nullptr : &place->second;
  }
  /// What may have been meant to be a missing option.
  [[nodiscard]] std::string misspelt(const std::string& option) const {
    std::vector<std::string> given;
    for (const auto& [name, value] : values_) given.push_back(name);
    const std::string near = closest(option, given);
    return near.empty() ? "" : fmt::format(" (given is '{}')", near);
  }
  [[nodiscard]] std::int32_t to_integer(const std::string& option, const FamilyValue& value) const {
    double number = std::numeric_limits<double>::quiet_NaN();
    if (const auto* whole = std::get_if<std::int64_t>(&value)) number = static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&value)) number = *real;
    SOJOURN_EXPECTS(number == std::floor(number), ModelError, "family '{}': option '{}' must be a whole number{}",
                    family_, option, std::isnan(number) ? "" : fmt::format(", not {}", number));
    SOJOURN_EXPECTS(std::fabs(number) < std::numeric_limits<std::int32_t>::max(), ModelError,
                    "family '{}': {} {} is far beyond what fits in memory; state limit 10000000 (--max-states) unless "
                    "raised",
                    family_, option, number);
    return static_cast<std::int32_t>(number);
  }

  const std::string& family_;
  const std::map<std::string, FamilyValue>& values_;
  std::vector<std::string> asked_;
};

using MakeFunction = Model (*)(FamilyOptions& options, std::int64_t max_states);

Model make_coalescent(FamilyOptions& options, std::int64_t max_states) {
  const std::int32_t samples = options.integer("samples");
  const std::string state = options.choice("state", {"lineages", "blocks"});
  options.refuse_unknown();
  return state == "blocks" ? coalescent_blocks(samples, max_states) : coalescent_lineages(samples, max_states);
}

Model make_structured(FamilyOptions& options, std::int64_t max_states) {
  const std::vector<std::int32_t> samples = options.required_integers("samples");
  const std::string state = options.choice("state", {"lineages", "blocks"});
  options.refuse_unknown();
  return state == "blocks" ? structured_coalescent_blocks(samples, max_states)
                           : structured_coalescent(samples, max_states);
}

Model make_two_locus(FamilyOptions& options, std::int64_t max_states) {
  const std::int32_t samples = options.integer("samples");
  const std::string state = options.choice("state", {"blocks", "lineages"});
  options.refuse_unknown();
  return state == "blocks" ? two_locus(samples, max_states) : two_locus_lineages(samples, max_states);
}

Model make_birth_death(FamilyOptions& options, std::int64_t max_states) {
  const std::int32_t capacity = options.integer("capacity");
  const std::int32_t start = options.integer("start", 1);
  const bool per_head = options.flag("per_head", false);
  options.refuse_unknown();
  return birth_death(capacity, start, per_head, max_states);
}

Model make_mm1k(FamilyOptions& options, std::int64_t max_states) {
  const std::int32_t capacity = options.integer("capacity");
  const std::int32_t start = options.integer("start", 1);
  options.refuse_unknown();
  Model model = birth_death(capacity, start, false, max_states);
  model.name = "mm1k";
  model.parameters[0].name = "arrival";
  model.parameters[1].name = "service";
  return model;
}

template <Model (*family)(std::int32_t, std::int64_t)>
Model make_stages(FamilyOptions& options, std::int64_t max_states) {
  const std::int32_t stages = options.integer_either("stages", "order");
  options.refuse_unknown();
  return family(stages, max_states);
}

Model make_hyperexponential(FamilyOptions& options, std::int64_t max_states) {
  const std::vector<double> probabilities = options.required_numbers("probabilities");
  options.refuse_unknown();
  expect_state_count("hyperexponential", static_cast<double>(probabilities.size()) + 1, 1, max_states);
  return hyperexponential(probabilities);
}

Model make_phase_type(FamilyOptions& options, std::int64_t max_states) {
  const std::int32_t order = options.integer_either("order", "stages");
  const std::optional<std::vector<double>> initial = options.numbers("initial");
  options.refuse_unknown();
  expect_at_least("phase_type", "order", order, 1);
  expect_state_count("phase_type", order + 1.0, 1, max_states);
  std::vector<double> at_first(initial ? 0 : order, 0.0);
  if (!initial) at_first[0] = 1;
  return phase_type(order, initial ? *initial : at_first);
}

struct FamilyEntry {
  const char* name;
  MakeFunction make;
};

constexpr FamilyEntry kFamilies[] = {
    {"coalescent", make_coalescent},
    {"structured_coalescent", make_structured},
    {"two_locus", make_two_locus},
    {"birth_death", make_birth_death},
    {"mm1k", make_mm1k},
    {"erlang", make_stages<erlang>},
    {"coxian", make_stages<coxian>},
    {"hypoexponential", make_stages<hypoexponential>},
    {"hyperexponential", make_hyperexponential},
    {"phase_type", make_phase_type},
    {"general", make_phase_type},
};

}  // namespace

Model make_family(const std::string& family, const std::map<std::string, FamilyValue>& options,
                  std::int64_t max_states) {
  for (const FamilyEntry& entry : kFamilies) {
    if (family != entry.name) continue;
    FamilyOptions reader(family, options);
    return entry.make(reader, max_states);
  }
  const std::vector<std::string> names = family_names();
  throw ModelError(
      fmt::format("unknown family '{}'{}; families: {}", family, suggestion(family, names), fmt::join(names, ", ")));
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const FamilyEntry& entry : kFamilies) names.emplace_back(entry.name);
  return names;
}

}  // namespace sojourn
