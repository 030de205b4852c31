#include <charconv>
#include <unordered_map>

#include "expects.hpp"
#include "graph/load_model.hpp"
#include "model/suggest.hpp"
#include "sojourn/memory.hpp"

namespace sojourn {
namespace {

using Value = Document::Value;

/// Names of states, empty where states are numbered.
struct StateNames {
  std::int32_t num_states = 0;
  std::vector<std::string> names;
  std::unordered_map<std::string, std::int32_t> index;
};

StateNames read_states(const Value& states, const ModelLimits& limits) {
  StateNames result;
  std::int64_t count = 0;
  if (states.is_sequence()) {
    result.names = states.as_strings();
    count = std::ssize(result.names);
    for (std::size_t i = 0; i < result.names.size(); ++i) {
      const auto [first, is_new] = result.index.try_emplace(result.names[i], static_cast<std::int32_t>(i));
      if (!is_new)
        states[i].fail(fmt::format("state '{}' is given twice (positions {} and {}); rename one", result.names[i],
                                   first->second, i));
    }
  } else {
    count = states.as_integer();
  }
  if (count < 1) states.fail(fmt::format("{} states; a model needs at least one state", count));
  // Beside its edges a state takes row bounds, start and unit reward, and about as much again while eliminating.
  constexpr double kBytesPerState = 64;
  if (count > limits.max_states)
    states.fail(
        fmt::format("{} states exceed the state limit {} (--max-states); without any edge they would take "
                    "{} of memory",
                    count, limits.max_states, format_bytes(static_cast<double>(count) * kBytesPerState)));
  result.num_states = static_cast<std::int32_t>(count);
  return result;
}

/// Index of the state that a value names; `what` is "edge 4: ", or empty where the value's path says it all.
std::int32_t read_state(const Value& value, const StateNames& states, const std::string& what) {
  if (states.names.empty()) {
    const std::int64_t state = value.as_integer();
    if (state < 0 || state >= states.num_states)
      value.fail(fmt::format("{}state {} not defined; states are 0 to {}", what, state, states.num_states - 1));
    return static_cast<std::int32_t>(state);
  }
  const std::string name = value.as_string();
  const auto found = states.index.find(name);
  if (found == states.index.end())
    value.fail(fmt::format("{}state '{}' not defined{} (states: {})", what, name, suggestion(name, states.names),
                           list_names(states.names)));
  return found->second;
}

void read_edge(const Value& edge, std::size_t index, const StateNames& states, const ModelHeader& header,
               std::vector<RateTerm>& terms, StateGraphBuilder& builder) {
  const std::string what = fmt::format("edge {}: ", index);
  edge.expect(ValueKind::kSequence);
  if (edge.size() < 3 || edge.size() > 4)
    edge.fail(
        fmt::format("{}expected [from, to, base, [one coefficient per parameter]], got {}", what, edge.describe()));
  const std::int32_t from = read_state(edge[0], states, what);
  const std::int32_t to = read_state(edge[1], states, what);
  const double base = edge[2].as_any_double();
  terms.clear();
  if (edge.size() == 4) {
    const Value coefficients = edge[3];
    coefficients.expect(ValueKind::kSequence);
    const std::size_t num_rates = header.rate_names.size();
    const char* kind = header.has_derived ? "derived rate" : "parameter";
    if (coefficients.size() > num_rates)
      coefficients[num_rates].fail(fmt::format("{}{} {} of {} does not exist; give one coefficient per {}", what, kind,
                                               num_rates + 1, num_rates, kind));
    if (coefficients.size() < num_rates)
      coefficients.fail(fmt::format("{}{} coefficients for {} {}s; give one each, 0 where it has no part", what,
                                    coefficients.size(), num_rates, kind));
    for (std::size_t r = 0; r < num_rates; ++r)
      terms.push_back({static_cast<std::int32_t>(r), coefficients[r].as_any_double()});
  }
  builder.add_edge(from, to, base, terms);
}

/// The value a message of the builder is about: "edge 7 ...", "initial ...", "reward 'x' ..." or the whole.
Value blamed_value(const Value& root, const std::string& message) {
  constexpr std::string_view kEdge = "edge ";
  if (message.starts_with("initial") || message.starts_with("no start")) return root.at("initial");
  if (message.starts_with("reward '")) {
    const Value rewards = root.at("rewards");
    const std::size_t begin = std::string_view("reward '").size();
    const auto member = rewards.find(message.substr(begin, message.find('\'', begin) - begin));
    return member ? *member : rewards;
  }
  const Value edges = root.at("edges");
  std::size_t index = 0;
  if (message.starts_with(kEdge)) {
    const auto [end, fault] = std::from_chars(message.data() + kEdge.size(), message.data() + message.size(), index);
    if (fault == std::errc() && index < edges.size()) return edges[index];
  }
  return edges;
}

}  // namespace

StateGraph load_explicit_graph(const Document::Value& root, const ModelHeader& header, const ModelLimits& limits) {
  const StateNames states = read_states(root.at("states"), limits);
  StateGraphBuilder builder(header.time_kind, static_cast<std::int32_t>(header.rate_names.size()));
  builder.ensure_states(states.num_states);

  const Value initial = root.at("initial");
  initial.expect(ValueKind::kSequence);
  for (std::size_t i = 0; i < initial.size(); ++i) {
    const Value entry = initial[i];
    if (!entry.is_sequence() || entry.size() != 2)
      entry.fail(fmt::format("expected [state, probability], got {}", entry.describe()));
    builder.add_initial(read_state(entry[0], states, ""), entry[1].as_any_double());
  }
  const Value edges = root.at("edges");
  edges.expect(ValueKind::kSequence);
  std::vector<RateTerm> terms;
  for (std::size_t e = 0; e < edges.size(); ++e) read_edge(edges[e], e, states, header, terms, builder);
  if (const auto rewards = root.find("rewards")) {
    rewards->expect(ValueKind::kMapping);
    for (std::size_t r = 0; r < rewards->size(); ++r) {
      const Value reward = (*rewards)[r];
      expect_reward_name(reward);
      reward.expect(ValueKind::kSequence);
      std::vector<double> values;
      for (std::size_t s = 0; s < reward.size(); ++s) values.push_back(reward[s].as_any_double());
      builder.add_reward(std::string(reward.key()), std::move(values));
    }
  }
  try {
    return std::move(builder).build();
  } catch (const ModelError& error) {
    // A fault of `initial` is blamed on that key, whose name leads the message already.
    const std::string message = error.what();
    constexpr std::string_view kInitial = "initial: ";
    blamed_value(root, message).fail(message.starts_with(kInitial) ? message.substr(kInitial.size()) : message);
  }
}

}  // namespace sojourn
