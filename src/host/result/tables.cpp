#include "result/tables.hpp"

#include <fmt/format.h>

#include <iterator>

namespace sojourn {

namespace {

/// A field as RFC 4180 wants it.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string parameter_header(const RunFacts& facts) {
  std::string line;
  for (const ParameterFacts& parameter : facts.parameters) {
    if (!line.empty()) line += ',';
    line += csv_field(parameter.summary.name);
  }
  return line + '\n';
}

}  // namespace

std::string particles_csv(const RunFacts& facts) {
  std::string text = parameter_header(facts);
  const Matrix<double>& particles = facts.result->particles;
  for (std::size_t i = 0; i < particles.num_rows(); ++i) {
    for (std::size_t k = 0; k < particles.num_cols(); ++k) {
      fmt::format_to(std::back_inserter(text), "{}{:.17g}", k > 0 ? "," : "", particles(i, k));
    }
    text += '\n';
  }
  return text;
}

std::string trace_csv(const RunFacts& facts) {
  std::string text = "iteration,particle," + parameter_header(facts);
  for (const HistoryFrame& frame : facts.result->svgd.history) {
    for (std::size_t i = 0; i < frame.particles.num_rows(); ++i) {
      fmt::format_to(std::back_inserter(text), "{},{}", frame.iteration, i);
      for (std::size_t k = 0; k < facts.parameters.size(); ++k) {
        fmt::format_to(std::back_inserter(text), ",{:.17g}", facts.parameters[k].to_natural(frame.particles(i, k)));
      }
      text += '\n';
    }
  }
  return text;
}

std::string convergence_csv(const RunFacts& facts) {
  std::string text = "iteration,mean_log_density,largest_step\n";
  const auto& density = facts.result->svgd.trace_mean_log_density;
  const auto& step = facts.result->svgd.trace_step;
  for (std::size_t i = 0; i < density.size() && i < step.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{},{:.17g},{:.17g}\n", i + 1, density[i], step[i]);
  }
  return text;
}

}  // namespace sojourn
