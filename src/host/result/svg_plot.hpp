#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sojourn {

struct PlotAxis {
  double lower = 0, upper = 1;
  bool logarithmic = false;
  std::string label{};      ///< under the x axis; above the y axis, so that nobody has to turn the head
  bool tick_labels = true;  ///< false: a bare axis without ticks
};

struct PlotSize {
  double width = 380, height = 250;  ///< user units; text is 14 of them high, so that a phone shows at least 12 px
};

/// One figure with axes as inline SVG. Shapes are drawn in the order of the calls and clipped to the plot area; colours
/// come from the page's style sheet through `css` class names. Points that are not finite break a line.
class SvgPlot {
 public:
  /// `title` is what a screen reader says. Equal or unordered axis ends are widened.
  SvgPlot(std::string title, PlotAxis x, PlotAxis y, PlotSize size = {});

  void line(std::span<const double> x, std::span<const double> y, std::string_view css);
  /// Filled down to the axis.
  void area(std::span<const double> x, std::span<const double> y, std::string_view css);
  void band(std::span<const double> x, std::span<const double> lower, std::span<const double> upper,
            std::string_view css);
  /// y[k] holds from x[k] to x[k + 1], the last one to the end of the axis.
  void step(std::span<const double> x, std::span<const double> y, std::string_view css);
  void step_band(std::span<const double> x, std::span<const double> lower, std::span<const double> upper,
                 std::string_view css);
  /// `heights[k]` between `edges[k]` and `edges[k + 1]`.
  void histogram(std::span<const double> edges, std::span<const double> heights, std::string_view css);
  void points(std::span<const double> x, std::span<const double> y, double radius, std::string_view css);
  /// From the axis up to `top` (clipped to the plot).
  void vertical(double x, double top, std::string_view css);
  /// Short upright strokes through the points.
  void strokes(std::span<const double> x, std::span<const double> y, std::string_view css);

  [[nodiscard]] std::string svg() const;

 private:
  [[nodiscard]] double to_x(double value) const;
  [[nodiscard]] double to_y(double value) const;
  void append_path(std::string_view path, std::string_view css);
  void append_axes(std::string& out) const;

  std::string title_;
  PlotAxis x_, y_;
  PlotSize size_;
  double left_, top_, area_width_, area_height_;
  std::string shapes_;
};

}  // namespace sojourn
