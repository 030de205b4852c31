#include "graph/family_build.hpp"

#include <cmath>
#include <limits>

#include "expects.hpp"
#include "sojourn/memory.hpp"

namespace sojourn {

Model family_model(std::string name, const std::vector<std::string>& parameter_names, StateGraph graph) {
  Model model;
  model.name = std::move(name);
  for (const std::string& parameter : parameter_names) model.parameters.push_back({.name = parameter});
  model.rates = RateMap::identity(static_cast<std::int32_t>(parameter_names.size()));
  model.graph = std::move(graph);
  return model;
}

void expect_state_count(const std::string& family, double num_states, std::size_t num_variables,
                        std::int64_t max_states) {
  // One row of variables, one edge with one term, and the look-up entry: what every state takes at the very least.
  const double bytes = num_states * (4.0 * static_cast<double>(num_variables) + 60.0);
  if (num_states <= static_cast<double>(max_states)) {
    const auto left = static_cast<double>(memory_left());
    SOJOURN_EXPECTS(bytes <= left, ModelError,
                    "family '{}' would have {:.6g} states and take {} of memory or more; {} are left; use "
                    "fewer samples or stages, a coarser state, or raise the memory limit (--max-memory, "
                    "SOJOURN_MAX_MEMORY) where the machine has more",
                    family, num_states, format_bytes(bytes), format_bytes(left));
    return;
  }
  SOJOURN_EXPECTS(std::isfinite(num_states), ModelError,
                  "family '{}' would have more than 1e12 states, beyond any memory; state limit {} (--max-states); use "
                  "fewer samples or a coarser state",
                  family, max_states);
  throw ModelError(
      fmt::format("family '{}' would have {:.6g} states and take {} or more; state limit {} (--max-states); use "
                  "fewer samples or stages, a coarser state, or raise the limit",
                  family, num_states, format_bytes(bytes), max_states));
}

void expect_at_least(const std::string& family, const char* option, std::int64_t value, std::int64_t lower) {
  SOJOURN_EXPECTS(value >= lower, ModelError, "family '{}': {} {} must be >= {}", family, option, value, lower);
}

double num_partitions(std::int32_t n, std::int32_t colours) {
  if (n > 2000) return std::numeric_limits<double>::infinity();
  std::vector<double> count(static_cast<std::size_t>(n) + 1, 0);
  count[0] = 1;
  for (std::int32_t colour = 0; colour < colours; ++colour)
    for (std::int32_t part = 1; part <= n; ++part)
      for (std::int32_t total = part; total <= n; ++total) count[total] += count[total - part];
  return count[n];
}

double num_bipartite_partitions(std::int32_t n) {
  if (n > 60) return std::numeric_limits<double>::infinity();
  const std::int32_t width = n + 1;
  std::vector<double> count(static_cast<std::size_t>(width) * width, 0);
  count[0] = 1;
  for (std::int32_t part = 1; part < width * width; ++part) {
    const std::int32_t i = part / width, j = part % width;
    for (std::int32_t a = i; a <= n; ++a)
      for (std::int32_t b = j; b <= n; ++b) count[a * width + b] += count[(a - i) * width + b - j];
  }
  return count[static_cast<std::size_t>(width) * width - 1];
}

}  // namespace sojourn
