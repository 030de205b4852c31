#pragma once

#include <string>
#include <vector>

#include "model/document.hpp"
#include "sojourn/model.hpp"

namespace sojourn {

/// The model in a document's root, or in a mapping inside another file (a run file's `model:`), where the schema line
/// may be left out. @throws ModelError "F:line:column: path: ...".
Model model_from_document(const Document::Value& value, const ModelLimits& limits = {}, bool schema_required = true);

/// What every form of model file says beside its states: `name`, `time`, `parameters`, `derived`.
struct ModelHeader {
  std::string name;
  TimeKind time_kind = TimeKind::kContinuous;
  bool has_time = false, has_parameters = false, has_derived = false;
  std::vector<Parameter> parameters;
  std::vector<std::string> rate_names;  ///< the parameters' names unless rates are derived
  RateMap rates;
};

/// Form (1): numbered (or named) states with their edges listed.
StateGraph load_explicit_graph(const Document::Value& root, const ModelHeader& header, const ModelLimits& limits);
/// Form (2): integer variables and transition rules, explored from the start.
StateGraph load_rule_graph(const Document::Value& root, const ModelHeader& header, const ModelLimits& limits);
/// Form (3): a built-in family; `parameters` renames its parameters, `derived` replaces them by rates.
Model load_family_model(const Document::Value& root, const ModelHeader& header, const ModelLimits& limits);

/// What is doubtful but no error: parameters that no edge uses, weights that can be negative (in discrete time: rows
/// that can exceed 1) inside the declared ranges. Ranges of derived rates are probed at fixed pseudo-random points.
std::vector<std::string> model_warnings(const Model& model);

/// Names of rewards are listed by commas and stand in headers. @throws ModelError at the reward.
void expect_reward_name(const Document::Value& reward);

/// Throws a ModelError at `value`, unless the message already starts with the document's "origin:".
[[noreturn]] void fail_at(const Document::Value& value, const std::string& message);

}  // namespace sojourn
