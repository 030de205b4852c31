#include "result/svg_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "result/axis_ticks.hpp"
#include "result/page_text.hpp"

namespace sojourn {

namespace {

constexpr double kFont = 14;
constexpr double kGlyph = 0.6 * kFont;  ///< width of a wide digit; labels are laid out with it
constexpr double kFar = 4000;           ///< coordinates beyond this are off the page and would only cost bytes

double glyphs(std::string_view text) {
  return static_cast<double>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

double widest(const Ticks& ticks) {
  double width = 0;
  for (const Tick& tick : ticks.ticks) width = std::max(width, glyphs(tick.label) * kGlyph);
  return width;
}

Ticks ticks_of(const PlotAxis& axis, int most) {
  return axis.logarithmic ? logarithmic_ticks(axis.lower, axis.upper, most)
                          : linear_ticks(axis.lower, axis.upper, most);
}

/// As many ticks as fit beside each other.
Ticks fitting_ticks(const PlotAxis& axis, double room) {
  Ticks ticks;
  for (int most = 7; most >= 1; --most) {
    ticks = ticks_of(axis, most);
    if (static_cast<double>(ticks.ticks.size()) * (widest(ticks) + 1.2 * kGlyph) <= room) break;
  }
  return ticks;
}

std::string axis_label(const PlotAxis& axis, const Ticks& ticks) {
  if (ticks.exponent == 0 || !axis.tick_labels) return axis.label;
  return axis.label + " (× " + power_of_ten(ticks.exponent) + ")";
}

PlotAxis widened(PlotAxis axis) {
  if (!std::isfinite(axis.lower)) axis.lower = axis.logarithmic ? 1 : 0;
  if (!std::isfinite(axis.upper)) axis.upper = axis.lower + 1;
  if (axis.logarithmic && !(axis.lower > 0)) axis.lower = axis.upper > 0 ? axis.upper * 1e-3 : 1e-3;
  if (!(axis.upper > axis.lower)) {
    const double around = axis.lower == 0 ? 1 : std::abs(axis.lower) * 0.5;
    axis.upper = axis.lower + around;
    if (!axis.logarithmic) axis.lower -= around;
  }
  return axis;
}

void append_point(std::string& path, char command, double x, double y) {
  fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", command, x, y);
}

}  // namespace

SvgPlot::SvgPlot(std::string title, PlotAxis x, PlotAxis y, PlotSize size)
    : title_(std::move(title)), x_(widened(std::move(x))), y_(widened(std::move(y))), size_(size) {
  top_ = y_.label.empty() ? 8 : 30;
  const double bottom = (x_.tick_labels ? 22 : 6) + (x_.label.empty() ? 0 : 20);
  area_height_ = std::max(10.0, size_.height - top_ - bottom);
  left_ = y_.tick_labels ? 8 + widest(ticks_of(y_, std::max(2, static_cast<int>(area_height_ / 34)))) : 4;
  left_ = std::max(left_, 4.0);
  area_width_ = std::max(10.0, size_.width - left_ - 12);
}

double SvgPlot::to_x(double value) const {
  const double share = x_.logarithmic ? std::log(value / x_.lower) / std::log(x_.upper / x_.lower)
                                      : (value - x_.lower) / (x_.upper - x_.lower);
  return std::clamp(share * area_width_, -kFar, kFar);
}

double SvgPlot::to_y(double value) const {
  const double share = y_.logarithmic ? std::log(value / y_.lower) / std::log(y_.upper / y_.lower)
                                      : (value - y_.lower) / (y_.upper - y_.lower);
  return std::clamp((1 - share) * area_height_, -kFar, kFar);
}

void SvgPlot::append_path(std::string_view path, std::string_view css) {
  if (!path.empty()) fmt::format_to(std::back_inserter(shapes_), "<path class=\"{}\" d=\"{}\"/>", css, path);
}

void SvgPlot::line(std::span<const double> x, std::span<const double> y, std::string_view css) {
  std::string path;
  bool pen_down = false;
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    // Infinities are drawn at the edge; only what has no place at all breaks the line.
    const double at_x = to_x(x[i]), at_y = to_y(y[i]);
    if (std::isnan(at_x) || std::isnan(at_y)) {
      pen_down = false;
      continue;
    }
    append_point(path, pen_down ? 'L' : 'M', at_x, at_y);
    pen_down = true;
  }
  append_path(path, css);
}

void SvgPlot::area(std::span<const double> x, std::span<const double> y, std::string_view css) {
  const std::vector<double> floor(x.size(), y_.lower);
  band(x, floor, y, css);
}

void SvgPlot::band(std::span<const double> x, std::span<const double> lower, std::span<const double> upper,
                   std::string_view css) {
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isnan(to_x(x[i])) && !std::isnan(to_y(lower[i])) && !std::isnan(to_y(upper[i]))) usable.push_back(i);
  }
  std::string path;
  for (const std::size_t i : usable) append_point(path, path.empty() ? 'M' : 'L', to_x(x[i]), to_y(upper[i]));
  for (auto i = usable.rbegin(); i != usable.rend(); ++i) append_point(path, 'L', to_x(x[*i]), to_y(lower[*i]));
  if (!path.empty()) append_path(path + 'Z', css);
}

void SvgPlot::step(std::span<const double> x, std::span<const double> y, std::string_view css) {
  std::vector<double> corner_x, corner_y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    corner_x.insert(corner_x.end(), {x[i], i + 1 < x.size() ? x[i + 1] : std::max(x_.upper, x[i])});
    corner_y.insert(corner_y.end(), {y[i], y[i]});
  }
  line(corner_x, corner_y, css);
}

void SvgPlot::step_band(std::span<const double> x, std::span<const double> lower, std::span<const double> upper,
                        std::string_view css) {
  std::vector<double> corner_x, corner_lower, corner_upper;
  for (std::size_t i = 0; i < x.size(); ++i) {
    corner_x.insert(corner_x.end(), {x[i], i + 1 < x.size() ? x[i + 1] : std::max(x_.upper, x[i])});
    corner_lower.insert(corner_lower.end(), {lower[i], lower[i]});
    corner_upper.insert(corner_upper.end(), {upper[i], upper[i]});
  }
  band(corner_x, corner_lower, corner_upper, css);
}

void SvgPlot::histogram(std::span<const double> edges, std::span<const double> heights, std::string_view css) {
  std::string path;
  for (std::size_t k = 0; k < heights.size() && k + 1 < edges.size(); ++k) {
    if (!(heights[k] > y_.lower)) continue;
    append_point(path, 'M', to_x(edges[k]), to_y(y_.lower));
    fmt::format_to(std::back_inserter(path), "V{:.1f}H{:.1f}V{:.1f}Z", to_y(heights[k]), to_x(edges[k + 1]),
                   to_y(y_.lower));
  }
  append_path(path, css);
}

void SvgPlot::points(std::span<const double> x, std::span<const double> y, double radius, std::string_view css) {
  std::string path;
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    const double at_x = to_x(x[i]), at_y = to_y(y[i]);
    if (std::isnan(at_x) || std::isnan(at_y)) continue;
    // A line of no length with a round cap is a dot, at a third of a circle's bytes.
    append_point(path, 'M', at_x, at_y);
    path += "h0";
  }
  if (!path.empty()) {
    fmt::format_to(std::back_inserter(shapes_), "<path class=\"dots {}\" stroke-width=\"{:.1f}\" d=\"{}\"/>", css,
                   2 * radius, path);
  }
}

void SvgPlot::vertical(double x, double top, std::string_view css) {
  const double at = to_x(x), end = to_y(top);
  if (std::isnan(at) || std::isnan(end)) return;
  append_path(fmt::format("M{:.1f} {:.1f}V{:.1f}", at, area_height_, end), css);
}

void SvgPlot::strokes(std::span<const double> x, std::span<const double> y, std::string_view css) {
  std::string path;
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    const double at_x = to_x(x[i]), at_y = to_y(y[i]);
    if (!std::isnan(at_x) && !std::isnan(at_y)) {
      append_point(path, 'M', at_x, at_y - 4);
      path += "v8";
    }
  }
  append_path(path, css);
}

void SvgPlot::append_axes(std::string& out) const {
  const auto add = std::back_inserter(out);
  const double right = left_ + area_width_, bottom = top_ + area_height_;
  Ticks y_ticks, x_ticks;
  if (y_.tick_labels) y_ticks = ticks_of(y_, std::max(2, static_cast<int>(area_height_ / 34)));
  if (x_.tick_labels) x_ticks = fitting_ticks(x_, area_width_);
  for (const Tick& tick : y_ticks.ticks) {
    const double y = top_ + to_y(tick.value);
    fmt::format_to(add, "<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", left_, y, right);
    fmt::format_to(add, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left_ - 5, y + 0.35 * kFont,
                   escape_html(tick.label));
  }
  fmt::format_to(add, "<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", left_, bottom, right);
  for (const Tick& tick : x_ticks.ticks) {
    const double x = left_ + to_x(tick.value);
    fmt::format_to(add, "<path class=\"axis\" d=\"M{:.1f} {:.1f}v4\"/>", x, bottom);
    // A label never leaves the picture: near an end it is pushed inwards.
    const double half = 0.5 * glyphs(tick.label) * kGlyph;
    fmt::format_to(add, "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                   std::clamp(x, half, std::max(size_.width - half, half)), bottom + 18, escape_html(tick.label));
  }
  if (!x_.label.empty()) {
    fmt::format_to(add, "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", right,
                   size_.height - 4, escape_html(axis_label(x_, x_ticks)));
  }
  if (!y_.label.empty()) {
    fmt::format_to(add, "<text class=\"label\" x=\"2\" y=\"15\">{}</text>", escape_html(axis_label(y_, y_ticks)));
  }
}

std::string SvgPlot::svg() const {
  std::string out = fmt::format("<svg class=\"plot\" viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">",
                                size_.width, size_.height, escape_html(title_));
  append_axes(out);
  // A nested svg clips what it holds, without an identifier that would have to be unique in the page.
  fmt::format_to(std::back_inserter(out),
                 "<svg x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">{}</svg></svg>\n", left_, top_,
                 area_width_, area_height_, shapes_);
  return out;
}

}  // namespace sojourn
