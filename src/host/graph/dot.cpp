#include "sojourn/dot.hpp"

#include <cmath>
#include <iterator>

#include "expects.hpp"

namespace sojourn {
namespace {

constexpr std::size_t kFewVariables = 4;

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + '"';
}

std::string state_label(const StateGraph& graph, std::int32_t state) {
  const auto variables = graph.state_variables(state);
  if (variables.empty()) return std::to_string(state);
  std::string label;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    if (variables[v] == 0 && variables.size() > kFewVariables) continue;
    label += fmt::format("{}{}={}", label.empty() ? "" : ", ", graph.variable_names()[v], variables[v]);
  }
  return label.empty() ? "all 0" : label;
}

/// "0.5 + 2 a - b": the base where it is not zero, then every term.
std::string weight_label(const StateGraph& graph, std::int64_t edge, std::span<const std::string> rate_names) {
  std::string label;
  const auto append = [&](double factor, const std::string& name) {
    const char* sign = label.empty() ? (factor < 0 ? "-" : "") : (factor < 0 ? " - " : " + ");
    const double size = std::fabs(factor);
    label += sign;
    if (name.empty())
      label += fmt::format("{}", size);
    else
      label += size == 1 ? name : fmt::format("{} {}", size, name);
  };
  if (graph.base(edge) != 0) append(graph.base(edge), "");
  for (const RateTerm& term : graph.terms(edge)) append(term.coefficient, rate_names[term.rate]);
  return label;
}

}  // namespace

std::string to_dot(const StateGraph& graph, std::span<const std::string> rate_names, std::int32_t max_states) {
  SOJOURN_EXPECTS(std::ssize(rate_names) == graph.num_rates(), ShapeError, "{} rate names for {} rates",
                  rate_names.size(), graph.num_rates());
  SOJOURN_EXPECTS(graph.num_states() <= max_states, UsageError,
                  "the graph has {} states; a picture is drawn of at most {}; use a smaller instance of the model",
                  graph.num_states(), max_states);
  std::string dot = "digraph model {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n";
  const auto out = std::back_inserter(dot);
  for (std::int32_t s = 0; s < graph.num_states(); ++s)
    fmt::format_to(out, "  s{} [label={}{}];\n", s, quoted(state_label(graph, s)),
                   graph.is_absorbing(s) ? ", peripheries=2" : "");
  for (const InitialMass& mass : graph.initial())
    fmt::format_to(out, "  start{0} [shape=point];\n  start{0} -> s{0} [label=\"{1}\", style=dashed];\n", mass.state,
                   mass.probability);
  if (graph.defect() > 0)
    fmt::format_to(out, "  defect [shape=plaintext, label=\"absorbed at once: {}\"];\n", graph.defect());
  for (std::int32_t s = 0; s < graph.num_states(); ++s)
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e)
      fmt::format_to(out, "  s{} -> s{} [label={}];\n", s, graph.edge_to(e),
                     quoted(weight_label(graph, e, rate_names)));
  return dot + "}\n";
}

}  // namespace sojourn
