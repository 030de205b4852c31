#include "posterior/posterior_parts.hpp"

#include <algorithm>
#include <cmath>

#include "model/suggest.hpp"
#include "posterior/prior_on_line.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Probabilities of a row may miss 1 by this much in rounding.
constexpr double kRowTolerance = 1e-12;

double fixed_value(const Parameter& parameter, double value, const std::map<std::string, Prior>& priors) {
  SOJOURN_EXPECTS(std::isfinite(value), ModelError, "fixed parameter '{}': {} must be finite", parameter.name, value);
  SOJOURN_EXPECTS(value >= parameter.lower && value <= parameter.upper, ModelError,
                  "fixed parameter '{}': {} is outside [{}, {}], the range the model declares", parameter.name, value,
                  parameter.lower, parameter.upper);
  const auto prior = priors.find(parameter.name);
  SOJOURN_EXPECTS(prior == priors.end() || prior->second.log_density(value) > -kInfinity, ModelError,
                  "fixed parameter '{}': {} is outside the support of its prior {}", parameter.name, value,
                  prior->second.describe());
  return value;
}

Posterior::Free free_parameter(std::int32_t index, const Parameter& parameter, const Prior& prior,
                               std::vector<std::string>& warnings) {
  const double lower = std::max(prior.lower(), parameter.lower), upper = std::min(prior.upper(), parameter.upper);
  SOJOURN_EXPECTS(lower < upper, ModelError,
                  "parameter '{}': the support ({}, {}) of its prior {} lies outside ({}, {}), the range the model "
                  "declares",
                  parameter.name, prior.lower(), prior.upper(), prior.describe(), parameter.lower, parameter.upper);
  const double mass = log_prior_mass(prior, lower, upper);
  SOJOURN_EXPECTS(mass > -kInfinity, ModelError,
                  "parameter '{}': its prior {} has no mass in ({}, {}), the range the model declares", parameter.name,
                  prior.describe(), parameter.lower, parameter.upper);
  Posterior::Free free{index, parameter.name, prior, Transform::for_support(lower, upper), lower, upper, mass, {}};
  const bool cut = lower > prior.lower() || upper < prior.upper();
  free.support =
      cut ? fmt::format("({}, {}): prior {} cut to the range the model declares", lower, upper, prior.describe())
          : fmt::format("({}, {}) from the prior", lower, upper);
  if (cut) {
    warnings.push_back(
        fmt::format("parameter '{}': prior {} is cut to ({}, {}), the range the model declares, which "
                    "holds {:.6g} of its mass",
                    parameter.name, prior.describe(), lower, upper, std::exp(mass)));
  }
  return free;
}

}  // namespace

ParameterSet resolve_parameters(const Model& model, const std::map<std::string, Prior>& priors,
                                const std::map<std::string, double>& fixed, std::vector<std::string>& warnings) {
  std::vector<std::string> names;
  for (const Parameter& parameter : model.parameters) names.push_back(parameter.name);
  const auto check_name = [&](const char* what, const std::string& name) {
    SOJOURN_EXPECTS(std::find(names.begin(), names.end(), name) != names.end(), ModelError,
                    "{}: the model has no parameter '{}'{}; it has {}", what, name, suggestion(name, names),
                    list_names(names));
  };
  for (const auto& [name, prior] : priors) check_name("priors", name);
  for (const auto& [name, value] : fixed) check_name("fixed", name);
  ParameterSet set;
  set.base.assign(names.size(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t p = 0; p < names.size(); ++p) {
    const Parameter& parameter = model.parameters[p];
    if (const auto value = fixed.find(parameter.name); value != fixed.end()) {
      set.base[p] = fixed_value(parameter, value->second, priors);
      continue;
    }
    const auto prior = priors.find(parameter.name);
    SOJOURN_EXPECTS(prior != priors.end(), ModelError,
                    "parameter '{}' has neither a prior nor a fixed value; add it to priors or to fixed",
                    parameter.name);
    const Posterior::Free& free =
        set.free.emplace_back(free_parameter(static_cast<std::int32_t>(p), parameter, prior->second, warnings));
    set.line_priors.push_back(line_prior(free.prior, free.transform, free.log_prior_mass));
  }
  SOJOURN_EXPECTS(!set.free.empty(), ModelError,
                  "every parameter is fixed ({}): nothing is left to infer; give at least one a prior instead",
                  list_names(names));
  return set;
}

void check_observations(const Model& model, const Observations& observations, std::span<const double> reward) {
  const StateGraph& graph = model.graph;
  SOJOURN_EXPECTS(reward.size() == static_cast<std::size_t>(graph.num_states()), ShapeError,
                  "reward has {} values; the model has {} states", reward.size(), graph.num_states());
  SOJOURN_EXPECTS(!observations.items.empty(), ModelError, "{}: no observations", observations.origin);
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  SOJOURN_EXPECTS(observations.counts == discrete, ModelError, "{}: the data are {}, but model '{}' is {} in time",
                  observations.origin, observations.counts ? "counts" : "times", model.name,
                  discrete ? "discrete" : "continuous");
  const LawSupport support = law_support(graph, reward);
  for (std::size_t i = 0; i < observations.items.size(); ++i) {
    const Observation& item = observations.items[i];
    const bool at_zero = !discrete && item.exact() && item.lower == 0;
    SOJOURN_EXPECTS(
        !at_zero || support.atom || support.density_at_zero, ModelError,
        "{}: time 0, where the density of model '{}' is zero: absorption takes more than one step and there "
        "is no atom at zero; if times are rounded, give lower and upper instead",
        name_row(observations, static_cast<std::int64_t>(i)), model.name);
  }
}

std::string name_row(const Observations& observations, std::int64_t item) {
  const std::string origin = observations.origin.empty() ? "data" : observations.origin;
  const auto index = static_cast<std::size_t>(item);
  return index < observations.first_row.size() ? fmt::format("{}: row {}", origin, observations.first_row[index])
                                               : fmt::format("{}: observation {}", origin, item + 1);
}

std::string describe_item(const Observations& observations, std::int64_t item) {
  const Observation& seen = observations.items[item];
  const char* what = observations.counts ? "count" : "time";
  const std::string entry = seen.entry > 0 ? fmt::format(", entry {}", seen.entry) : "";
  if (seen.left_censored) return fmt::format("{} <= {}{}", what, seen.upper, entry);
  if (seen.right_censored()) return fmt::format("{} > {}{}", what, seen.lower, entry);
  if (!seen.exact()) return fmt::format("{} in ({}, {}]{}", what, seen.lower, seen.upper, entry);
  return fmt::format("{} {}{}", what, seen.lower, entry);
}

std::string describe_theta(const Model& model, std::span<const double> theta) {
  std::string text = "theta = {";
  for (std::size_t p = 0; p < theta.size(); ++p)
    text += fmt::format("{}{}: {:.17g}", p == 0 ? "" : ", ", model.parameters[p].name, theta[p]);
  return text + "}";
}

std::string describe_bad_weight(const StateGraph& graph, std::span<const double> phi) {
  for (std::size_t r = 0; r < phi.size(); ++r)
    if (!std::isfinite(phi[r])) return fmt::format("rate {} is {}, not finite,", r, phi[r]);
  const std::int64_t edge = first_bad_edge(graph, phi);
  if (edge >= 0) {
    return fmt::format("edge {} -> {}: weight {} must be finite and >= 0", graph.edge_from(edge), graph.edge_to(edge),
                       graph.weight(edge, phi));
  }
  if (graph.time_kind() == TimeKind::kContinuous) return {};
  for (std::int32_t state = 0; state < graph.num_states(); ++state) {
    double sum = 0;
    for (std::int64_t e = graph.edge_begin(state); e < graph.edge_end(state); ++e) sum += graph.weight(e, phi);
    if (sum > 1 + kRowTolerance)
      return fmt::format("state {}: the probabilities of its edges sum to {}, more than 1,", state, sum);
  }
  return {};
}

}  // namespace sojourn
