#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "expects.hpp"
#include "graph/load_model.hpp"
#include "graph/state_program.hpp"
#include "model/suggest.hpp"
#include "sojourn/explore.hpp"

namespace sojourn {
namespace {

using Value = Document::Value;

struct Variable {
  std::string name;
  std::int32_t initial, min, max;
};

/// A rule, compiled: outputs of `body` are the base, the coefficients of `rates`, the new values of `targets`.
struct Rule {
  Value value;
  std::size_t index;
  bool has_guard = false;
  StateProgram guard = {}, body = {};
  std::vector<std::int32_t> rates = {};    ///< rate of each coefficient
  std::vector<std::int32_t> targets = {};  ///< variable of each effect
  std::vector<std::uint8_t> states = {};   ///< of the block, where the rule applies: lane l of `body` is states[l]
  std::size_t lane = 0;                    ///< the next one to emit
};

std::vector<Variable> read_variables(const Value& list) {
  list.expect(ValueKind::kMapping);
  if (list.size() == 0) list.fail("no variable is given; a rule model needs at least one");
  constexpr std::int64_t kLowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t kHighest = std::numeric_limits<std::int32_t>::max();
  std::vector<Variable> variables;
  for (std::size_t v = 0; v < list.size(); ++v) {
    const Value entry = list[v];
    entry.expect_keys({"initial", "min", "max"});
    const auto bound = [&](const char* key, std::int64_t fallback) {
      const auto member = entry.find(key);
      return static_cast<std::int32_t>(member ? member->as_integer(kLowest, kHighest) : fallback);
    };
    Variable variable{std::string(entry.key()), 0, bound("min", 0), bound("max", kHighest)};
    if (variable.min > variable.max)
      entry.fail(fmt::format("min {} must not exceed max {}", variable.min, variable.max));
    variable.initial = static_cast<std::int32_t>(entry.at("initial").as_integer(variable.min, variable.max));
    variables.push_back(std::move(variable));
  }
  return variables;
}

/// Compiles the expressions of a rule model and explores it. A copy has programs of its own, for a thread of its own.
class RuleModel {
 public:
  RuleModel(const Value& root, const ModelHeader& header, const ModelLimits& limits)
      : root_(root), header_(header), limits_(limits), variables_(read_variables(root.at("variables"))) {
    declare_names();
    if (const auto absorbing = root.find("absorbing")) {
      has_absorbing_ = true;
      absorbing_ = StateProgram(tape_, std::vector{parse_of_variables(*absorbing)});
    }
    const Value rules = root.at("rules");
    rules.expect(ValueKind::kSequence);
    if (rules.size() == 0) rules.fail("no rule is given; a rule model needs at least one");
    for (std::size_t r = 0; r < rules.size(); ++r) compile(rules[r], r);
  }

  StateGraph explore_states() {
    ExploreOptions options;
    options.time_kind = header_.time_kind;
    options.num_rates = static_cast<std::int32_t>(header_.rate_names.size());
    options.max_states = limits_.max_states;
    std::vector<std::int32_t> start;
    for (const Variable& variable : variables_) {
      options.variable_names.push_back(variable.name);
      start.push_back(variable.initial);
    }
    options.initial.emplace_back(std::move(start), 1.0);
    if (const auto rewards = root_.find("rewards")) {
      rewards->expect(ValueKind::kMapping);
      for (std::size_t k = 0; k < rewards->size(); ++k) {
        const Value reward = (*rewards)[k];
        expect_reward_name(reward);
        StateProgram compiled(tape_, std::vector{parse_of_variables(reward)});
        options.rewards.emplace_back(
            std::string(reward.key()), [this, program = std::move(compiled), reward](auto state) mutable {
              program.run(state);
              const double value = program.output(0);
              if (!std::isfinite(value) || value < 0)
                reward.fail(fmt::format("reward '{}' is {} in state {}; must be finite and >= 0", reward.key(), value,
                                        describe(state)));
              return value;
            });
      }
    }
    options.concurrent = true;
    return explore_blocks(options, [rules = *this](auto states, TransitionBlockSink& sink) mutable {
      rules.emit_transitions(states, sink);
    });
  }

 private:
  void declare_names() {
    for (std::size_t v = 0; v < variables_.size(); ++v) {
      try {
        tape_.add_input(variables_[v].name);
      } catch (const ModelError& error) {
        root_.at("variables")[v].fail(error.what());
      }
    }
    rate_begin_ = tape_.num_inputs();
    for (std::size_t r = 0; r < header_.rate_names.size(); ++r) {
      try {
        tape_.add_input(header_.rate_names[r]);
      } catch (const ModelError& error) {
        root_.at(header_.has_derived ? "derived" : "parameters")[r].fail(error.what());
      }
    }
    rate_end_ = tape_.num_inputs();
    if (!header_.has_derived) return;
    for (const Parameter& parameter : header_.parameters) {
      const std::string& name = parameter.name;
      tape_.forbid(name, fmt::format("is a parameter, and this model's rates are linear in its derived rates; add "
                                     "'{}: {}' under derived to use it as it is",
                                     name, name));
    }
  }

  std::int32_t parse(const Value& value) {
    try {
      return tape_.parse(value.text());
    } catch (const ExpressionError& error) {
      value.fail(error.what());
    }
  }

  /// Parses what decides the state space, which must not depend on theta.
  std::int32_t parse_of_variables(const Value& value) {
    const std::int32_t node = parse(value);
    if (tape_.depends_on(rate_begin_, rate_end_)[node])
      value.fail(
          fmt::format("'{}' contains a parameter or rate; only 'rate' may, everything else is made of the "
                      "variables alone",
                      value.text()));
    return node;
  }

  void compile(const Value& value, std::size_t index) {
    value.expect_keys({"when", "rate", "effect"});
    Rule rule{.value = value, .index = index};
    if (const auto when = value.find("when")) {
      rule.has_guard = true;
      rule.guard = StateProgram(tape_, std::vector{parse_of_variables(*when)});
    }
    const Value rate = value.at("rate");
    const std::int32_t rate_node = parse(rate);
    std::vector<std::int32_t> outputs;
    try {
      const LinearForm form = linear_form(tape_, rate_node, rate_begin_, rate_end_);
      outputs.push_back(form.base);
      for (const LinearForm::Term& term : form.terms) {
        rule.rates.push_back(term.input - rate_begin_);
        outputs.push_back(term.coefficient);
      }
    } catch (const ExpressionError& error) {
      rate.fail(fmt::format("rule {}: rate '{}' is {}", index, rate.text(), error.what()));
    }
    const Value effect = value.at("effect");
    effect.expect(ValueKind::kMapping);
    if (effect.size() == 0) effect.fail(fmt::format("rule {}: no effect is given; name a variable's new value", index));
    for (std::size_t k = 0; k < effect.size(); ++k) {
      const std::string name(effect[k].key());
      std::vector<std::string> names;
      for (const Variable& variable : variables_) names.push_back(variable.name);
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end())
        effect[k].fail(fmt::format("rule {}: effect on unknown variable '{}'{} (variables: {})", index, name,
                                   suggestion(name, names), list_names(names)));
      rule.targets.push_back(static_cast<std::int32_t>(found - names.begin()));
      outputs.push_back(parse_of_variables(effect[k]));
    }
    rule.body = StateProgram(tape_, outputs);
    rules_.push_back(std::move(rule));
  }

  [[nodiscard]] std::string describe(std::span<const std::int32_t> state) const {
    std::string text;
    for (std::size_t v = 0; v < state.size(); ++v)
      text += fmt::format("{}{}={}", v == 0 ? "(" : ", ", variables_[v].name, state[v]);
    return text + ")";
  }

  /// Conditions and rates are evaluated for all states together, errors told state by state and rule by rule. What an
  /// expression gives where its condition does not hold is never looked at.
  void emit_transitions(MatrixView<const std::int32_t> states, TransitionBlockSink& sink) {
    evaluate(states);
    for (std::size_t k = 0, transient = 0; k < states.num_rows(); ++k) {
      sink.begin_state(k);
      const std::span<const std::int32_t> state = states.row(k);
      if (has_absorbing_ && is_true(absorbing_.output(0, k), root_, "absorbing", state)) continue;
      for (Rule& rule : rules_) {
        if (rule.has_guard && !is_true(rule.guard.output(0, transient), rule.value, "when", state)) continue;
        emit_transition(rule, rule.lane++, state, sink);
      }
      ++transient;
    }
  }

  void evaluate(MatrixView<const std::int32_t> states) {
    all_.resize(states.num_rows());
    std::iota(all_.begin(), all_.end(), std::uint8_t{0});
    if (has_absorbing_) absorbing_.run(states, all_);
    transient_.clear();
    for (const std::uint8_t k : all_)
      if (!has_absorbing_ || !(absorbing_.output(0, k) != 0)) transient_.push_back(k);
    for (Rule& rule : rules_) {
      rule.states.clear();
      rule.lane = 0;
      if (rule.has_guard) rule.guard.run(states, transient_);
      for (std::size_t l = 0; l < transient_.size(); ++l)
        if (!rule.has_guard || rule.guard.output(0, l) != 0) rule.states.push_back(transient_[l]);
      rule.body.run(states, rule.states);
    }
  }

  void emit_transition(const Rule& rule, std::size_t lane, std::span<const std::int32_t> state, TransitionSink& sink) {
    const double base = rule.body.output(0, lane);
    terms_.clear();
    bool finite = std::isfinite(base);
    for (std::size_t k = 0; k < rule.rates.size(); ++k) {
      const double coefficient = rule.body.output(k + 1, lane);
      finite = finite && std::isfinite(coefficient);
      if (coefficient != 0) terms_.push_back({rule.rates[k], coefficient});
    }
    if (!finite || (terms_.empty() && base < 0)) refuse_rate(rule, lane, state);
    if (terms_.empty() && base == 0) return;
    apply_effect(rule, lane, state);
    sink.emit_change(changes_, base, terms_);
  }

  /// A condition that is NaN is neither true nor false.
  static bool is_true(double value, const Value& owner, const char* key, std::span<const std::int32_t> state) {
    if (std::isnan(value))
      owner.at(key).fail(
          fmt::format("the condition is not a number at variables ({}); guard it against division by "
                      "zero and the like",
                      fmt::join(state, ", ")));
    return value != 0;
  }

  void apply_effect(const Rule& rule, std::size_t lane, std::span<const std::int32_t> state) {
    changes_.clear();
    for (std::size_t k = 0; k < rule.targets.size(); ++k) {
      const Variable& variable = variables_[rule.targets[k]];
      const double value = rule.body.output(1 + rule.rates.size() + k, lane);
      // The casts hold what lies between min and max.
      if (!(value >= variable.min && value <= variable.max) || value != static_cast<std::int32_t>(value))
        refuse_effect(rule, k, state, value);
      const std::int64_t delta = static_cast<std::int64_t>(value) - state[rule.targets[k]];
      if (delta != 0) changes_.push_back({rule.targets[k], delta});
    }
    if (changes_.empty())
      rule.value.at("effect").fail(
          fmt::format("rule {} in state {}: the effect changes nothing, a self-loop; exclude the state by 'when'",
                      rule.index, describe(state)));
  }

  [[noreturn]] void refuse_effect(const Rule& rule, std::size_t k, std::span<const std::int32_t> state,
                                  double value) const {
    const Variable& variable = variables_[rule.targets[k]];
    const Value effect = rule.value.at("effect")[k];
    if (!(value == std::floor(value)))
      effect.fail(fmt::format("rule {} in state {}: the effect gives {} = {}, which is no whole number", rule.index,
                              describe(state), variable.name, value));
    effect.fail(
        fmt::format("rule {} in state {}: the effect gives {} = {}, outside [{}, {}]; exclude the state by "
                    "'when' or widen min and max",
                    rule.index, describe(state), variable.name, value, variable.min, variable.max));
  }

  [[noreturn]] void refuse_rate(const Rule& rule, std::size_t lane, std::span<const std::int32_t> state) const {
    std::string parts = fmt::format("{}", rule.body.output(0, lane));
    for (std::size_t k = 0; k < rule.rates.size(); ++k)
      parts += fmt::format(" + {} * {}", rule.body.output(k + 1, lane), header_.rate_names[rule.rates[k]]);
    rule.value.at("rate").fail(
        fmt::format("rule {} in state {}: rate {} must be finite and >= 0; exclude the state by 'when'", rule.index,
                    describe(state), parts));
  }

  const Value root_;
  const ModelHeader& header_;
  const ModelLimits& limits_;
  std::vector<Variable> variables_;
  ExpressionTape tape_;
  std::int32_t rate_begin_ = 0, rate_end_ = 0;
  bool has_absorbing_ = false;
  StateProgram absorbing_;
  std::vector<Rule> rules_;
  std::vector<std::uint8_t> all_, transient_;  ///< rows of the block
  std::vector<RateTerm> terms_;
  std::vector<VariableChange> changes_;
};

}  // namespace

StateGraph load_rule_graph(const Document::Value& root, const ModelHeader& header, const ModelLimits& limits) {
  RuleModel rules(root, header, limits);
  try {
    return rules.explore_states();
  } catch (const ModelError& error) {
    fail_at(root.at("rules"), error.what());
  }
}

}  // namespace sojourn
