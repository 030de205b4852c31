#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/random.hpp"
#include "graph/load_model.hpp"

namespace sojourn {
namespace {

/// Probes of derived rates; a region of negative rates smaller than about 1 % of the ranges can be missed.
constexpr int kNumProbes = 256;
constexpr double kLargestProbe = 1e3;

struct Range {
  double lower, upper;
};

/// A value inside the range: log-uniform above 0 where the range is unbounded.
double probe_range(const Parameter& parameter, PhiloxStream& random) {
  const double u = random.next_uniform();
  const bool has_lower = std::isfinite(parameter.lower), has_upper = std::isfinite(parameter.upper);
  if (has_lower && has_upper) return parameter.lower + u * (parameter.upper - parameter.lower);
  const double distance = std::pow(kLargestProbe, 2 * u - 1);
  if (has_lower) return parameter.lower + distance;
  if (has_upper) return parameter.upper - distance;
  return random.next_uniform() < 0.5 ? -distance : distance;
}

/// Range of every rate: the declared one, or the hull of the probes where rates are derived.
std::vector<Range> rate_ranges(const Model& model) {
  std::vector<Range> ranges;
  if (model.rates.is_identity()) {
    for (const Parameter& parameter : model.parameters) ranges.push_back({parameter.lower, parameter.upper});
    return ranges;
  }
  const auto num_rates = static_cast<std::size_t>(model.rates.num_rates());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  ranges.assign(num_rates, {kInfinity, -kInfinity});
  std::vector<double> theta(model.parameters.size()), phi(num_rates);
  PhiloxStream random(0, kStreamDiagnostics, 0);
  for (int probe = 0; probe < kNumProbes; ++probe) {
    for (std::size_t p = 0; p < theta.size(); ++p) theta[p] = probe_range(model.parameters[p], random);
    model.rates.evaluate(theta, phi);
    for (std::size_t r = 0; r < num_rates; ++r) {
      if (std::isnan(phi[r])) continue;
      ranges[r].lower = std::min(ranges[r].lower, phi[r]);
      ranges[r].upper = std::max(ranges[r].upper, phi[r]);
    }
  }
  return ranges;
}

std::string rate_name(const Model& model, std::int32_t rate) {
  return fmt::format("'{}'", model.rates.is_identity() ? model.parameters[rate].name : model.rates.names()[rate]);
}

std::string describe_edge(const Model& model, std::int64_t edge) {
  const StateGraph& graph = model.graph;
  std::string text =
      fmt::format("edge {} -> {} with weight {}", graph.edge_from(edge), graph.edge_to(edge), graph.base(edge));
  for (const RateTerm& term : graph.terms(edge))
    text += fmt::format(" + {} * {}", term.coefficient, rate_name(model, term.rate));
  return text;
}

void warn_of_unused(const Model& model, std::vector<std::string>& warnings) {
  std::vector<bool> used_rates(static_cast<std::size_t>(model.rates.num_rates()), false);
  auto num_unused = std::ssize(used_rates);
  for (std::int64_t e = 0; e < model.graph.num_edges() && num_unused > 0; ++e) {
    for (const RateTerm& term : model.graph.terms(e)) {
      if (used_rates[term.rate]) continue;
      used_rates[term.rate] = true;
      --num_unused;
    }
  }
  for (std::int32_t p = 0; p < model.num_parameters(); ++p) {
    bool used = false;
    for (std::int32_t r = 0; r < model.rates.num_rates() && !used; ++r)
      used = used_rates[r] && model.rates.depends(r, p);
    if (!used)
      warnings.push_back(
          fmt::format("parameter '{}' is unused: no edge depends on it, so no data can inform it; remove "
                      "it or use it in a rate",
                      model.parameters[p].name));
  }
}

}  // namespace

std::vector<std::string> model_warnings(const Model& model) {
  std::vector<std::string> warnings;
  warn_of_unused(model, warnings);

  const StateGraph& graph = model.graph;
  const std::vector<Range> ranges = rate_ranges(model);
  const auto extreme = [&](std::int64_t edge, bool largest) {
    double sum = graph.base(edge);
    for (const RateTerm& term : graph.terms(edge)) {
      const Range& range = ranges[term.rate];
      sum += term.coefficient * ((term.coefficient > 0) == largest ? range.upper : range.lower);
    }
    return sum;
  };
  // No rate and no coefficient below 0 leaves nothing to look for.
  const bool may_be_negative = !std::isfinite(graph.weight_bound(0)) ||
                               std::ranges::any_of(ranges, [](const Range& range) { return !(range.lower >= 0); });
  std::int64_t num_negative = 0, first_negative = -1;
  for (std::int64_t e = 0; e < graph.num_edges() && may_be_negative; ++e) {
    if (!(extreme(e, false) < 0)) continue;
    if (num_negative++ == 0) first_negative = e;
  }
  if (num_negative > 0)
    warnings.push_back(
        fmt::format("{} of {} edges can be negative inside the declared parameter ranges, first {}; "
                    "parameters that make one negative are refused at evaluation, so narrow the ranges "
                    "(lower, upper)",
                    num_negative, graph.num_edges(), describe_edge(model, first_negative)));
  if (graph.time_kind() != TimeKind::kDiscrete) return warnings;
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    double sum = 0;
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) sum += extreme(e, true);
    if (!(sum > 1 + 1e-12)) continue;
    warnings.push_back(
        fmt::format("the probabilities out of state {} can exceed 1 inside the declared parameter "
                    "ranges; parameters that make them so are refused at evaluation, so give an upper "
                    "limit to each parameter",
                    s));
    break;
  }
  return warnings;
}

}  // namespace sojourn
