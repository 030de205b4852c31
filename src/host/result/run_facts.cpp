#include "result/run_facts.hpp"

#include <algorithm>

#include "expects.hpp"

namespace sojourn {

RunFacts run_facts(const InferenceResult& result, const Posterior& posterior) {
  const auto& free = posterior.free();
  const auto& particles = result.svgd.particles;
  SOJOURN_EXPECTS(
      result.parameters.size() == free.size() && particles.num_cols() == free.size() &&
          result.particles.num_cols() == free.size() && result.particles.num_rows() == particles.num_rows(),
      ShapeError,
      "result has {} summaries and particles [{}, {}] (natural) and [{}, {}] (unconstrained); the posterior "
      "has {} free parameters",
      result.parameters.size(), result.particles.num_rows(), result.particles.num_cols(), particles.num_rows(),
      particles.num_cols(), free.size());
  SOJOURN_EXPECTS(particles.num_rows() > 0, ShapeError, "result has no particles");
  RunFacts facts;
  facts.result = &result;
  facts.observations = &posterior.observations();
  const Model& model = posterior.model();
  facts.time_kind = model.graph.time_kind();
  facts.variable_is_time = posterior.reward() == model.graph.unit_reward();
  for (std::size_t k = 0; k < free.size(); ++k) {
    ParameterFacts parameter;
    parameter.summary = result.parameters[k];
    for (std::size_t i = 0; i < particles.num_rows(); ++i) {
      parameter.natural.push_back(result.particles(i, k));
      parameter.unconstrained.push_back(particles(i, k));
    }
    parameter.log_prior = [prior = free[k].prior, mass = free[k].log_prior_mass](double theta) {
      return prior.log_density(theta) - mass;
    };
    parameter.to_natural = [transform = free[k].transform](double z) { return transform.to_natural(z); };
    parameter.to_unconstrained = [transform = free[k].transform](double theta) {
      return transform.to_unconstrained(theta);
    };
    parameter.log_jacobian = [transform = free[k].transform](double z) { return transform.log_jacobian(z); };
    facts.parameters.push_back(std::move(parameter));
  }
  std::vector<double> theta(static_cast<std::size_t>(model.num_parameters()));
  posterior.to_theta(particles.row(0), theta);
  for (std::size_t p = 0; p < theta.size(); ++p) {
    if (std::none_of(free.begin(), free.end(),
                     [p](const auto& f) { return static_cast<std::size_t>(f.parameter) == p; })) {
      facts.fixed.emplace_back(model.parameters[p].name, theta[p]);
    }
  }
  return facts;
}

std::string compression_text(const CompressionReport& report) {
  if (report.mode == DataCompression::kOff) return "off";
  std::string text;
  for (std::size_t i = 0; i < report.level_points.size(); ++i) {
    if (report.level_count[i] == 0) continue;
    text += fmt::format("{}{} points read as {} in {} evaluations", text.empty() ? "" : ", ", report.num_points,
                        report.level_points[i], report.level_count[i]);
  }
  if (!text.empty()) text += fmt::format("; largest estimated error {:.1e}", report.worst_error);
  if (report.num_exact > 0 && !report.level_points.empty())
    text += fmt::format("{}exact in {} evaluations", text.empty() ? "" : "; ", report.num_exact);
  if (report.num_line_answers > 0)
    text += fmt::format("{}one free parameter: {} log likelihoods interpolated from {}, largest estimated error {:.1e}",
                        text.empty() ? "" : "; ", report.num_line_answers, report.num_line_values, report.line_error);
  return text;
}

std::string overall_verdict(const SvgdResult& svgd) {
  bool warn = svgd.interrupted || svgd.diagnostics.empty();
  for (const Diagnostic& diagnostic : svgd.diagnostics) {
    if (diagnostic.verdict == "FAIL") return "FAIL";
    warn |= diagnostic.verdict != "PASS";
  }
  return warn ? "WARN" : "PASS";
}

}  // namespace sojourn
