#include "result/report_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "result/page_text.hpp"
#include "result/svg_plot.hpp"

namespace sojourn {

namespace {

constexpr std::size_t kMaxLinePoints = 400;

struct Polyline {
  std::vector<double> x, y;
};

/// A long series cut to the smallest and largest value of each stretch, so that no spike is lost.
Polyline thinned(const std::vector<double>& values) {
  Polyline line;
  const std::size_t stretch = std::max<std::size_t>(1, 2 * values.size() / kMaxLinePoints);
  for (std::size_t begin = 0; begin < values.size(); begin += stretch) {
    const std::size_t end = std::min(values.size(), begin + stretch);
    std::size_t low = begin, high = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (values[i] < values[low]) low = i;
      if (values[i] > values[high]) high = i;
    }
    for (const std::size_t i : {std::min(low, high), std::max(low, high)}) {
      line.x.push_back(static_cast<double>(i + 1));
      line.y.push_back(values[i]);
      if (low == high) break;
    }
  }
  return line;
}

PlotAxis padded(double lower, double upper, std::string label) {
  const double pad = 0.06 * (upper - lower);
  return {.lower = lower - pad, .upper = upper + pad, .label = std::move(label)};
}

/// The part of a curve between two abscissas.
Polyline between(const std::vector<double>& x, const std::vector<double>& y, double lower, double upper) {
  Polyline part;
  const auto at = [&](double where) {
    const auto above = std::upper_bound(x.begin(), x.end(), where);
    if (above == x.begin()) return y.front();
    if (above == x.end()) return y.back();
    const std::size_t k = static_cast<std::size_t>(above - x.begin());
    return y[k - 1] + (y[k] - y[k - 1]) * (where - x[k - 1]) / (x[k] - x[k - 1]);
  };
  lower = std::max(lower, x.front());
  upper = std::min(upper, x.back());
  part = {{lower}, {at(lower)}};
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (x[k] > lower && x[k] < upper) {
      part.x.push_back(x[k]);
      part.y.push_back(y[k]);
    }
  }
  part.x.push_back(upper);
  part.y.push_back(at(upper));
  return part;
}

Figure mean_density_figure(const std::vector<double>& values) {
  const auto finite = [](double v) { return std::isfinite(v); };
  const auto [lowest, highest] = [&] {
    std::vector<double> usable;
    std::copy_if(values.begin(), values.end(), std::back_inserter(usable), finite);
    if (usable.empty()) return std::pair{0.0, 1.0};
    return std::pair{*std::min_element(usable.begin(), usable.end()), *std::max_element(usable.begin(), usable.end())};
  }();
  // A climb of thousands at the start would press the part that matters into a straight line.
  double settled = highest;
  for (std::size_t i = values.size() / 10; i < values.size(); ++i) {
    if (finite(values[i])) settled = std::min(settled, values[i]);
  }
  const bool cut = highest - lowest > 4 * (highest - settled) && settled < highest;
  const double end = static_cast<double>(values.size());
  SvgPlot plot("Mean log density of the particles by iteration", {.lower = 1, .upper = end, .label = "iteration"},
               padded(cut ? settled : lowest, highest, "mean log density"));
  const Polyline line = thinned(values);
  plot.line(line.x, line.y, "line post");
  return {plot.svg(),
          std::string(
              "It should end level. A line that still rises or falls at the right end asks for more iterations; a peak "
              "on the way is the particles spreading out from the mode.") +
              (cut ? " The first iterations lie below the picture." : "")};
}

Figure step_figure(const std::vector<double>& values) {
  double lowest = 0, highest = 0;
  for (const double value : values) {
    if (!(value > 0) || !std::isfinite(value)) continue;
    lowest = lowest == 0 ? value : std::min(lowest, value);
    highest = std::max(highest, value);
  }
  if (lowest == 0) return {};
  SvgPlot plot("Largest step of a particle by iteration",
               {.lower = 1, .upper = static_cast<double>(values.size()), .label = "iteration"},
               {.lower = lowest * 0.8, .upper = highest * 1.25, .logarithmic = true, .label = "largest step"});
  const Polyline line = thinned(values);
  plot.line(line.x, line.y, "line post");
  return {plot.svg(),
          "The farthest that any particle moved, on the unconstrained scale. It should fall by orders of "
          "magnitude; particles that still move far have not arrived."};
}

std::string key(std::string_view css, std::string_view text) {
  return fmt::format("<span class=\"key\"><i class=\"{}\"></i>{}</span> ", css, text);
}

}  // namespace

Figure density_figure(const ParameterFacts& parameter, const DensityCurve& curve) {
  const ParameterSummary& s = parameter.summary;
  if (curve.x.empty()) {
    return {"", fmt::format("<b>{}</b>: no density can be drawn, the particles are all equal or not finite.",
                            escape_html(s.name))};
  }
  const double peak = *std::max_element(curve.posterior.begin(), curve.posterior.end());
  SvgPlot plot(fmt::format("Posterior and prior density of {}", s.name),
               {.lower = curve.x.front(), .upper = curve.x.back(), .label = s.name},
               {.lower = 0, .upper = 1.08 * peak, .tick_labels = false}, {.width = 380, .height = 220});
  plot.area(curve.x, curve.posterior, "fill post-faint");
  const Polyline wide = between(curve.x, curve.posterior, s.q025, s.q975);
  plot.area(wide.x, wide.y, "fill post-soft");
  const Polyline narrow = between(curve.x, curve.posterior, s.q25, s.q75);
  plot.area(narrow.x, narrow.y, "fill post-mid");
  plot.line(curve.x, curve.prior, "line prior");
  plot.line(curve.x, curve.posterior, "line post");
  const Polyline median = between(curve.x, curve.posterior, s.q50, s.q50);
  plot.vertical(s.q50, median.y.front(), "line mark");
  return {plot.svg(),
          fmt::format("<b>{}</b>: median {}, 95 % between {} and {}. Prior: {}.", escape_html(s.name),
                      short_number(s.q50), short_number(s.q025), short_number(s.q975), escape_html(s.prior))};
}

std::vector<Figure> convergence_figures(const SvgdResult& svgd) {
  std::vector<Figure> figures;
  if (svgd.trace_mean_log_density.size() > 1) figures.push_back(mean_density_figure(svgd.trace_mean_log_density));
  if (svgd.trace_step.size() > 1) {
    Figure steps = step_figure(svgd.trace_step);
    if (!steps.svg.empty()) figures.push_back(std::move(steps));
  }
  return figures;
}

Figure trace_figure(const RunFacts& facts, std::size_t parameter) {
  const auto& history = facts.result->svgd.history;
  const ParameterFacts& facts_here = facts.parameters[parameter];
  const std::size_t num_particles = history.front().particles.num_rows();
  const std::size_t num_lines = std::min<std::size_t>(20, num_particles);
  const std::size_t every = std::max<std::size_t>(1, history.size() / kMaxLinePoints);
  std::vector<double> iteration, mean, all;
  std::vector<std::vector<double>> lines(num_lines);
  for (std::size_t f = 0; f < history.size(); f += every) {
    const Matrix<double>& particles = history[f].particles;
    iteration.push_back(static_cast<double>(history[f].iteration));
    double sum = 0;
    for (std::size_t i = 0; i < num_particles; ++i) sum += facts_here.to_natural(particles(i, parameter));
    mean.push_back(sum / static_cast<double>(num_particles));
    for (std::size_t line = 0; line < num_lines; ++line) {
      const double value = facts_here.to_natural(particles(line * num_particles / num_lines, parameter));
      lines[line].push_back(value);
      if (std::isfinite(value)) all.push_back(value);
    }
  }
  std::sort(all.begin(), all.end());
  SvgPlot plot(fmt::format("Paths of particles of {}", facts_here.summary.name),
               {.lower = iteration.front(), .upper = iteration.back(), .label = "iteration"},
               padded(quantile_of_sorted(all, 0.005), quantile_of_sorted(all, 0.995), facts_here.summary.name));
  for (const auto& line : lines) plot.line(iteration, line, "line faint");
  plot.line(iteration, mean, "line post");
  return {plot.svg(),
          fmt::format("<b>{}</b>: {} particles and the mean of all {}. They should spread out early and then "
                      "keep their places.",
                      escape_html(facts_here.summary.name), num_lines, num_particles)};
}

Figure predictive_figure(const RunFacts& facts) {
  const PredictiveCheck& check = facts.result->predictive;
  if (check.grid.size() < 2) return {};
  const bool discrete = facts.time_kind == TimeKind::kDiscrete;
  const std::string variable = !facts.variable_is_time ? "reward gathered, x" : discrete ? "count, x" : "time, x";
  SvgPlot plot("Survival curves of the model and of the data",
               {.lower = check.grid.front(),
                .upper = check.grid.back(),
                .logarithmic = check.logarithmic,
                .label = variable + " (unit of the data)"},
               {.lower = 0, .upper = 1.02, .label = "probability to exceed x"}, {.width = 380, .height = 300});
  // Steps closer than a fraction of a pixel add bytes and nothing to see.
  std::vector<double> x, survival, lower, upper;
  for (std::size_t k = 0; k < check.data_x.size(); ++k) {
    const bool last = k + 1 == check.data_x.size();
    const double previous = survival.empty() ? 2 : survival.back();
    if (!last && previous - check.data_survival[k] < 1.0 / 600) continue;
    x.push_back(check.data_x[k]);
    survival.push_back(check.data_survival[k]);
    lower.push_back(check.data_lower[k]);
    upper.push_back(check.data_upper[k]);
  }
  double data_end = check.data_x.empty() ? 0 : check.data_x.back();
  if (!check.censored_x.empty()) data_end = std::max(data_end, check.censored_x.back());
  if (!x.empty() && data_end > x.back()) {
    // The estimate is defined up to the last time seen, not beyond.
    x.push_back(data_end);
    survival.push_back(survival.back());
    lower.push_back(lower.back());
    upper.push_back(upper.back());
  }
  const auto ended_step = [&](const std::vector<double>& y) {
    Polyline corners;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (k > 0) {
        corners.x.push_back(x[k]);
        corners.y.push_back(y[k - 1]);
      }
      corners.x.push_back(x[k]);
      corners.y.push_back(y[k]);
    }
    return corners;
  };
  const Polyline low = ended_step(lower), high = ended_step(upper), steps = ended_step(survival);
  plot.band(low.x, low.y, high.y, "fill data-soft");
  const bool has_band = check.num_particles > 0;
  if (has_band) {
    plot.band(check.grid, check.lower, check.upper, "fill post-soft");
    plot.line(check.grid, check.median, "line post");
  }
  plot.line(steps.x, steps.y, "line data");
  std::vector<double> ticks_x, ticks_y;
  const std::size_t every = std::max<std::size_t>(1, check.censored_x.size() / 150);
  for (std::size_t k = 0; k < check.censored_x.size(); k += every) {
    const auto above = std::upper_bound(check.data_x.begin(), check.data_x.end(), check.censored_x[k]);
    ticks_x.push_back(check.censored_x[k]);
    ticks_y.push_back(above == check.data_x.begin() ? 1 : check.data_survival[above - check.data_x.begin() - 1]);
  }
  plot.strokes(ticks_x, ticks_y, "line data");

  std::string caption = key("data", "data (Kaplan–Meier) with its 95 % band");
  if (has_band) caption += key("post", fmt::format("model: median and 95 % band of {} particles", check.num_particles));
  if (!ticks_x.empty()) caption += key("tick", "right-censored observations");
  caption +=
      "<span class=\"note\">The model fits where its band runs inside the band of the data. Where the two part, the "
      "model "
      "cannot take the shape of the data, whatever its parameters.</span>";
  for (const std::string& note : check.notes) caption += "<span class=\"note\">" + escape_html(note) + "</span>";
  return {plot.svg(), caption};
}

}  // namespace sojourn
