#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/elimination_options.hpp"
#include "cli/identifiability.hpp"
#include "cli/json_writer.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/theta.hpp"
#include "cli/verb.hpp"
#include "evaluation/replays_held.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/dot.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

/// Singular values below this share of the largest take millions of observations to feel.
constexpr double kWeak = 1e-4;

struct InspectOptions {
  CommonOptions common;
  std::string model;
  std::vector<std::string> rewards;
  bool dot = false, json = false;
};

const char* time_name(const Model& model) {
  return model.graph.time_kind() == TimeKind::kDiscrete ? "discrete" : "continuous";
}

std::vector<std::string> reward_names(const Model& model) {
  std::vector<std::string> names;
  for (const Reward& reward : model.graph.rewards()) names.push_back(reward.name);
  return names;
}

std::vector<std::string> rate_names(const Model& model) {
  return model.rates.is_identity() ? parameter_names(model) : model.rates.names();
}

/// The rewards that data may be of: those named, else all of the model's and time.
std::vector<NamedReward> rewards_to_assess(const Model& model, const std::vector<std::string>& names) {
  if (!names.empty()) return choose_rewards(model, names);
  std::vector<NamedReward> rewards = all_rewards(model);
  const bool has_time =
      std::any_of(rewards.begin(), rewards.end(), [](const NamedReward& reward) { return reward.name == "time"; });
  if (!has_time) rewards.push_back({"time", model.graph.unit_reward()});
  return rewards;
}

/// What `inspect` found out. Without `cost` the elimination does not fit and was not done.
struct Inspection {
  const Model& model;
  const CostPrediction& predicted;
  std::int64_t bytes_left;  ///< before the elimination
  const PrcCost* cost;
  const Identifiability& identified;
};

std::string as_json(const Inspection& inspection) {
  const Model& model = inspection.model;
  const CostPrediction& predicted = inspection.predicted;
  const Identifiability& identified = inspection.identified;
  JsonWriter json;
  json.begin_object();
  json.member("name", model.name).member("time", time_name(model)).member("digest", digest(model));
  json.member("states", static_cast<std::int64_t>(model.graph.num_states()));
  json.member("edges", model.graph.num_edges()).member("transient", predicted.num_transient);
  json.member("components", predicted.num_components).member("largest_component", predicted.largest_component);
  if (inspection.cost != nullptr) json.member("levels", inspection.cost->num_levels);
  json.member("acyclic", predicted.largest_component <= 1);
  json.key("predicted").begin_object();
  json.member("factor_multiply_adds", predicted.factor_multiply_adds);
  json.member("solve_multiply_adds", predicted.solve_multiply_adds);
  json.member("graph_bytes", predicted.graph_bytes).member("program_bytes", predicted.program_bytes);
  json.member("elimination_bytes", predicted.elimination_bytes);
  const ReplayBytes& replay = predicted.replay;
  json.member("value_bytes_per_vector", replay.value);
  json.member("gradient_bytes_per_vector", replay.products > 0 ? replay.products : replay.differences);
  json.member("differences_bytes_per_vector", replay.differences);
  json.member("difference_program_bytes", replay.difference_program);
  json.member("exact", predicted.exact).end_object();
  json.member("fits", inspection.cost != nullptr).member("bytes_left", inspection.bytes_left);
  if (inspection.cost != nullptr)
    json.member("slots", inspection.cost->num_slots).member("bytes", inspection.cost->bytes);
  json.key("parameters").values(parameter_names(model));
  json.key("bounds").begin_array();
  for (const Parameter& parameter : model.parameters) {
    json.begin_array().value(parameter.lower).value(parameter.upper).end_array();
  }
  json.end_array();
  json.member("rates", static_cast<std::int64_t>(model.rates.num_rates()));
  json.member("derived_rates", !model.rates.is_identity());
  json.key("derived").begin_object();
  for (std::size_t r = 0; r < model.rates.names().size(); ++r)
    json.member(model.rates.names()[r], model.rates.expressions()[r]);
  json.end_object();
  json.key("rewards").values(reward_names(model)).key("variables").values(model.graph.variable_names());
  json.member("atom_at_start", model.graph.defect());
  json.key("warnings").values(model.warnings);
  json.key("identifiability").begin_object();
  json.member("assessed", identified.assessed);
  if (!identified.assessed) json.member("reason", identified.reason);
  json.key("rewards").values(identified.rewards);
  json.member("moments", identified.order).member("rank", identified.rank);
  json.member("parameters", model.num_parameters());
  json.key("singular_values").values(identified.singular_values);
  json.key("theta").values(identified.theta);
  json.key("unidentifiable").begin_array();
  for (std::size_t i = 0; i < identified.silent_directions.size(); ++i) {
    json.begin_object().member("direction", describe_direction(model, identified, identified.silent_directions[i]));
    json.key("weights").values(identified.silent_directions[i]).end_object();
  }
  json.end_array().end_object();
  return json.end_object().take();
}

std::string as_text(const Inspection& inspection) {
  const Model& model = inspection.model;
  const CostPrediction& predicted = inspection.predicted;
  const Identifiability& identified = inspection.identified;
  const auto bytes = [](double count) { return format_bytes(count); };
  std::string text;
  const auto line = [&text](const char* label, const std::string& content) {
    text += fmt::format("{:<20}{}\n", label, content);
  };
  line("name", model.name);
  line("time", time_name(model));
  line("states",
       fmt::format("{}, {} transient", format_count(model.graph.num_states()), format_count(predicted.num_transient)));
  line("edges", format_count(model.graph.num_edges()));
  const PrcCost* const cost = inspection.cost;
  line("components", fmt::format("{}, the largest has {} state{}{}", format_count(predicted.num_components),
                                 format_count(predicted.largest_component), predicted.largest_component == 1 ? "" : "s",
                                 cost == nullptr ? ""
                                                 : fmt::format(", {} level{}", format_count(cost->num_levels),
                                                               cost->num_levels == 1 ? "" : "s")));
  line("acyclic", predicted.largest_component <= 1 ? "yes" : "no");
  line("predicted cost", fmt::format("{}{} multiply-adds to factor, {} per solve, for each parameter vector",
                                     predicted.exact ? "" : "about ", format_count(predicted.factor_multiply_adds),
                                     format_count(predicted.solve_multiply_adds)));
  line("predicted memory",
       fmt::format("{} for the graph, {} for the program, {} beside the graph at the height of its elimination",
                   bytes(static_cast<double>(predicted.graph_bytes)),
                   bytes(static_cast<double>(predicted.program_bytes)),
                   bytes(static_cast<double>(predicted.elimination_bytes))));
  const ReplaysHeld few = replays_held(predicted.replay, 1, 1), many = replays_held(predicted.replay, 10'000, 1);
  line("", fmt::format("{} for a mean of few parameter vectors, {} of many; {} and {} with gradient; for each thread",
                       bytes(few.value), bytes(many.value), bytes(few.gradient), bytes(many.gradient)));
  if (predicted.replay.products > 0)
    line("", fmt::format("{} and {} where gradients fall back on differences, {} of it for all threads together",
                         bytes(few.differences), bytes(many.differences),
                         bytes(static_cast<double>(predicted.replay.difference_program))));
  line("fits", cost != nullptr ? fmt::format("yes, {} are left", bytes(static_cast<double>(inspection.bytes_left)))
                               : fmt::format("no, {} are left; use a smaller model, or raise --max-memory where the "
                                             "machine has more",
                                             bytes(static_cast<double>(inspection.bytes_left))));
  if (cost != nullptr) {
    line("slots", fmt::format("{} live numbers for each parameter vector", format_count(cost->num_slots)));
    line("bytes", fmt::format("{} ({})", format_count(cost->bytes), bytes(static_cast<double>(cost->bytes))));
  }
  if (model.graph.defect() > 0) line("atom at the start", fmt::format("{:.6g}", model.graph.defect()));
  for (std::size_t p = 0; p < model.parameters.size(); ++p) {
    const Parameter& parameter = model.parameters[p];
    line(p == 0 ? "parameters" : "",
         fmt::format("{}  in [{:g}, {:g}]", parameter.name, parameter.lower, parameter.upper));
  }
  for (std::size_t r = 0; r < model.rates.names().size(); ++r)
    line(r == 0 ? "derived rates" : "", model.rates.names()[r] + " = " + model.rates.expressions()[r]);
  const std::vector<std::string> rewards = reward_names(model);
  line("rewards", rewards.empty() ? "none of its own; time is 1 in each transient state" : list_names(rewards));
  if (!model.graph.variable_names().empty()) line("variables", list_names(model.graph.variable_names()));
  for (const std::string& warning : model.warnings) line("warning", warning);
  if (!identified.assessed) {
    line("identifiability", "not assessed: " + identified.reason);
    return text;
  }
  const std::string from = fmt::format("moments 1 to {} of {}", identified.order, list_names(identified.rewards, 6));
  if (identified.silent_directions.empty()) {
    const double smallest = identified.singular_values.back();
    line("identifiability",
         model.num_parameters() == 1 ? from + " move with the parameter" : from + " tell all parameters apart");
    if (smallest < kWeak) {
      line("", fmt::format("but hardly along {} (singular value {:.0e} of the largest):",
                           describe_direction(model, identified, identified.weakest_direction), smallest));
      line("", "priors will decide there unless there are very many data");
    }
    return text;
  }
  line("identifiability", fmt::format("{} fix only {} of {} directions; nothing moves along", from, identified.rank,
                                      model.num_parameters()));
  for (std::size_t i = 0; i < identified.silent_directions.size(); ++i) {
    line("", describe_direction(model, identified, identified.silent_directions[i]));
  }
  return text;
}

ExitCode inspect(const InspectOptions& options) {
  SOJOURN_EXPECTS(!(options.dot && options.json), UsageError, "--dot and --json exclude each other; give one of them");
  EvaluatorOptions evaluator_options;
  evaluator_options.num_threads = options.common.num_threads();
  Model model = load_model(options.model, options.common.limits());
  if (options.dot) {
    write_stdout(to_dot(model.graph, rate_names(model)));
    return ExitCode::kDone;
  }
  const std::vector<NamedReward> rewards = rewards_to_assess(model, options.rewards);
  const CostPrediction predicted = predict_cost(model.graph);
  const std::int64_t bytes_left = memory_left();
  const auto print = [&](const Inspection& inspection) {
    write_stdout(options.json ? as_json(inspection) : as_text(inspection));
    return ExitCode::kDone;
  };
  if (predicted.elimination_bytes > bytes_left) {
    Identifiability unknown;
    unknown.reason = "the elimination does not fit in memory";
    return print({model, predicted, bytes_left, nullptr, unknown});
  }
  const Evaluator evaluator(std::move(model), evaluator_options);
  Identifiability identified;
  identified.reason = "its evaluation does not fit in memory";
  const int num_threads = options.common.num_threads();
  if (replays_held(predicted.replay, 1, num_threads).differences < static_cast<double>(memory_left()))
    identified = identifiability(evaluator, rewards);
  return print({evaluator.model(), predicted, bytes_left, &evaluator.prc().cost(), identified});
}

}  // namespace

Action add_inspect(CLI::App& app) {
  const auto options = std::make_shared<InspectOptions>();
  app.add_option("MODEL", options->model, "Model file; - is standard input")->required();
  add_repeatable(app, "--rewards", options->rewards, "NAME",
                 "Rewards that data will be of, for the identifiability [all and time]; repeatable");
  app.add_flag("--dot", options->dot, "Print the graph in the DOT language, for Graphviz");
  app.add_flag("--json", options->json, "Print one JSON object");
  add_thread_option(app, options->common);
  add_cache_option(app);
  add_limit_options(app, options->common);
  app.footer(
      "Examples:\n"
      "  sojourn inspect kingman.yaml\n"
      "  sojourn inspect kingman.yaml --dot | dot -Tsvg > kingman.svg");
  return [options] { return inspect(*options); };
}

}  // namespace sojourn::cli
