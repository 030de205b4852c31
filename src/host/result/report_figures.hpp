#pragma once

#include <string>
#include <vector>

#include "result/density_estimate.hpp"
#include "result/run_facts.hpp"

namespace sojourn {

/// A figure of the report: inline SVG and the caption below it, which may hold mark-up.
struct Figure {
  std::string svg, caption;
};

/// Posterior density with the prior over it, the 95 % and 50 % intervals shaded and the median marked.
Figure density_figure(const ParameterFacts& parameter, const DensityCurve& curve);

/// Mean log density and largest step by iteration; empty where there are fewer than two iterations.
std::vector<Figure> convergence_figures(const SvgdResult& svgd);

/// Paths of up to 20 particles and the mean of all through the kept history.
Figure trace_figure(const RunFacts& facts, std::size_t parameter);

/// Band of the model's survival curves against the product-limit estimate of the data.
Figure predictive_figure(const RunFacts& facts);

/// Scatter of every pair below the diagonal, densities on it, correlations above it. For 2 to 6 parameters.
Figure pair_figure(const RunFacts& facts, const std::vector<DensityCurve>& curves);

}  // namespace sojourn
