#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sojourn/result.hpp"

namespace sojourn {

/// One free parameter as the writers see it.
struct ParameterFacts {
  ParameterSummary summary;
  std::vector<double> natural;                     ///< [n] in particle order
  std::vector<double> unconstrained;               ///< [n]
  std::function<double(double)> log_prior;         ///< natural scale, normalised over the support
  std::function<double(double)> to_natural;        ///< from the unconstrained scale
  std::function<double(double)> to_unconstrained;  ///< inside the open support
  std::function<double(double)> log_jacobian;      ///< log |d theta / d z| at z
};

/// Everything the writers of the output folder need, without the posterior behind it.
struct RunFacts {
  const InferenceResult* result = nullptr;  ///< outlives the facts
  const Observations* observations = nullptr;
  std::vector<ParameterFacts> parameters;
  std::vector<std::pair<std::string, double>> fixed;
  TimeKind time_kind = TimeKind::kContinuous;
  bool variable_is_time = true;  ///< the reward is time itself
};

/// @throws ShapeError if result and posterior disagree about particles or parameters.
RunFacts run_facts(const InferenceResult& result, const Posterior& posterior);

/// PASS, WARN or FAIL: the worst verdict of the diagnostics; at least WARN for a run that was stopped early or has
/// none.
std::string overall_verdict(const SvgdResult& svgd);

}  // namespace sojourn
