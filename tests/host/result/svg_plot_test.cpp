#include "result/svg_plot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "result/axis_ticks.hpp"
#include "result/page_text.hpp"

namespace sojourn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> labels(const Ticks& ticks) {
  std::vector<std::string> result;
  for (const Tick& tick : ticks.ticks) result.push_back(tick.label);
  return result;
}

TEST(Ticks, RoundNumbers) {
  EXPECT_THAT(labels(linear_ticks(0, 1, 6)), ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(labels(linear_ticks(-3, 7, 5)), ElementsAre("−2", "0", "2", "4", "6"));
  EXPECT_THAT(labels(linear_ticks(1, 500, 6)), ElementsAre("100", "200", "300", "400", "500"));
  EXPECT_THAT(labels(linear_ticks(0.26, 0.47, 5)), ElementsAre("0.30", "0.35", "0.40", "0.45"));
}

TEST(Ticks, LargeAndSmallNumbersShareAPowerOfTen) {
  const Ticks large = linear_ticks(0, 3e6, 4);
  EXPECT_EQ(large.exponent, 6);
  EXPECT_THAT(labels(large), ElementsAre("0", "1", "2", "3"));
  const Ticks small = linear_ticks(0, 4e-5, 5);
  EXPECT_EQ(small.exponent, -6);
  EXPECT_THAT(labels(small), ElementsAre("0", "10", "20", "30", "40"));
}

TEST(Ticks, Logarithmic) {
  EXPECT_THAT(labels(logarithmic_ticks(1e-5, 1, 7)), ElementsAre("10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"));
  EXPECT_THAT(labels(logarithmic_ticks(0.9, 120, 7)), ElementsAre("1", "2", "5", "10", "20", "50", "100"));
  EXPECT_LE(logarithmic_ticks(1e-300, 1e300, 5).ticks.size(), 5U);
}

TEST(Ticks, NeverMoreThanAskedForAndAlwaysInside) {
  for (const double lower : {-1e-12, 0.0, 3.7, 1e8, -5e300}) {
    for (const double width : {1e-9, 0.3, 12.0, 1e6, 9e300}) {
      if (!(lower + width > lower)) continue;
      for (int most = 1; most < 9; ++most) {
        const Ticks ticks = linear_ticks(lower, lower + width, most);
        EXPECT_LE(ticks.ticks.size(), static_cast<std::size_t>(most));
        for (const Tick& tick : ticks.ticks) {
          EXPECT_GE(tick.value, lower - 1e-6 * width - 1e-15 * std::abs(lower));
          EXPECT_LE(tick.value, lower + width * (1 + 1e-6) + 1e-15 * std::abs(lower));
        }
      }
    }
  }
  EXPECT_TRUE(linear_ticks(1, 1, 5).ticks.empty());
  EXPECT_TRUE(linear_ticks(0, std::numeric_limits<double>::infinity(), 5).ticks.empty());
  EXPECT_TRUE(logarithmic_ticks(0, 1, 5).ticks.empty());
}

TEST(SvgPlot, LineRunsBetweenTheCorners) {
  SvgPlot plot("t", {.lower = 0, .upper = 10, .tick_labels = false}, {.lower = 0, .upper = 1, .tick_labels = false},
               {.width = 116, .height = 114});
  // Bare axes: 4 + 12 beside and 8 + 6 above and below leave an area of 100 by 100.
  const double x[] = {0, 10}, y[] = {0, 1};
  plot.line(x, y, "line");
  EXPECT_THAT(plot.svg(), HasSubstr("d=\"M0.0 100.0L100.0 0.0\""));
}

TEST(SvgPlot, NaNBreaksALineAndInfinityStaysOnThePage) {
  SvgPlot plot("t", {}, {});
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const double x[] = {0, .2, .4, .6, .8}, y[] = {0, .5, nan, -inf, .5};
  plot.line(x, y, "line");
  plot.band(x, y, y, "band");
  plot.points(x, y, 2, "p");
  plot.strokes(x, y, "s");
  plot.step(x, y, "st");
  plot.vertical(nan, 1, "v");
  const std::string svg = plot.svg();
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(SvgPlot, DegenerateAxesAreWidened) {
  for (const double at : {0.0, 5.0, -2.0, std::nan("")}) {
    SvgPlot plot("t", {.lower = at, .upper = at}, {.lower = at, .upper = at, .logarithmic = true});
    const double x[] = {at}, y[] = {1};
    plot.points(x, y, 1, "p");
    EXPECT_THAT(plot.svg(), Not(HasSubstr("nan")));
  }
}

TEST(SvgPlot, HistogramBars) {
  SvgPlot plot("t", {.lower = 0, .upper = 2, .tick_labels = false}, {.lower = 0, .upper = 1, .tick_labels = false},
               {.width = 116, .height = 114});
  const double edges[] = {0, 1, 2}, heights[] = {0.5, 0};
  plot.histogram(edges, heights, "bar");
  EXPECT_THAT(plot.svg(), HasSubstr("d=\"M0.0 100.0V50.0H50.0V100.0Z\""));
}

TEST(SvgPlot, TitleIsEscaped) {
  EXPECT_THAT(SvgPlot("a\"><b>", {}, {}).svg(), HasSubstr("aria-label=\"a&quot;&gt;&lt;b&gt;\""));
}

TEST(PageText, Escape) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
  EXPECT_EQ(escape_html("θ → ∞"), "θ → ∞");
  EXPECT_EQ(escape_html("a\xC3"), "a\xEF\xBF\xBD");
  EXPECT_EQ(escape_html("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate is not UTF-8
  EXPECT_EQ(escape_html(std::string_view("\0\x1b", 2)), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(PageText, Numbers) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(200), "200");
  EXPECT_EQ(short_number(-0.25), "−0.2500");
  EXPECT_EQ(short_number(3.14159), "3.142");
  EXPECT_EQ(short_number(12345.6), "12346");
  EXPECT_EQ(short_number(1.25e-5), "1.250 × 10⁻⁵");
  EXPECT_EQ(short_number(-3e12), "−3.000 × 10¹²");
  EXPECT_EQ(short_number(std::nan("")), "n/a");
  EXPECT_EQ(short_number(-std::numeric_limits<double>::infinity()), "−∞");
}

TEST(PageText, Durations) {
  EXPECT_EQ(short_seconds(2.5e-5), "25 µs");
  EXPECT_EQ(short_seconds(0.0123), "12 ms");
  EXPECT_EQ(short_seconds(3.44), "3.4 s");
  EXPECT_EQ(short_seconds(59.97), "1 min 00 s");
  EXPECT_EQ(short_seconds(302), "5 min 02 s");
  EXPECT_EQ(short_seconds(7500), "2 h 05 min");
  EXPECT_EQ(short_seconds(std::nan("")), "n/a");
}

TEST(PageText, Groups) {
  EXPECT_EQ(grouped(12), "12");
  EXPECT_EQ(grouped(1234567),
            "1\xE2\x80\xAF"
            "234\xE2\x80\xAF"
            "567");
  EXPECT_EQ(grouped(-1000),
            "−1\xE2\x80\xAF"
            "000");
}

}  // namespace
}  // namespace sojourn
