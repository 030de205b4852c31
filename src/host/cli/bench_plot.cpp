#include "cli/bench_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "result/axis_ticks.hpp"
#include "result/page_text.hpp"
#include "result/svg_plot.hpp"

namespace sojourn::cli {
namespace {

constexpr double kWidth = 380, kMargin = 12;
/// Bars end here, so that the words of a full one still fit behind it.
constexpr double kBarRoom = 128;

constexpr char kStyle[] =
    "<style>"
    "svg{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    ".paper{fill:#ffffff}text{font-size:13px;fill:#1b2430}.soft{fill:#56616f}.head{font-size:15px;font-weight:700}"
    ".name{font-weight:600}"
    ".mean{fill:#0072b2}.slope{fill:#e69f00}.grid{stroke:#e1e3e0;fill:none}.axis{stroke:#56616f;fill:none}"
    ".line{fill:none;stroke-width:2.4;stroke-linejoin:round}.c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}"
    ".c3{stroke:#cc79a7}.c4{stroke:#e69f00}.c5{stroke:#56b4e9}.ideal{stroke:#56616f;stroke-dasharray:4 "
    "4;stroke-width:1.4}"
    "</style>";
constexpr int kNumColours = 6;

/// Text and shapes below one another.
class Page {
 public:
  void text(double x, const char* css, const std::string& words) {
    add(R"(<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>)", x, y_, css, escape_html(words));
  }
  template <class... Args>
  void add(fmt::format_string<Args...> form, Args&&... args) {
    fmt::format_to(std::back_inserter(body_), form, std::forward<Args>(args)...);
  }
  void down(double by) { y_ += by; }
  [[nodiscard]] double y() const { return y_; }
  [[nodiscard]] std::string svg(const std::string& title) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:.0f}\" width=\"{0:g}\" height=\"{1:.0f}\" "
        "role=\"img\" aria-label=\"{2}\"><title>{2}</title>{3}<rect class=\"paper\" width=\"{0:g}\" "
        "height=\"{1:.0f}\"/>{4}</svg>\n",
        kWidth, y_ + kMargin, escape_html(title), kStyle, body_);
  }

 private:
  std::string body_;
  double y_ = 0;
};

/// The case's row with the most threads and particles in the first precision, null where it is not measured.
const BenchRow* best_row(const BenchResult& result, std::size_t case_index, BenchQuantity quantity) {
  const BenchRow* best = nullptr;
  for (const BenchRow& row : result.rows) {
    if (row.case_index != case_index || row.quantity != quantity || row.rate.values.empty()) continue;
    if (row.precision != result.rows.front().precision || row.device != "cpu") continue;
    if (best == nullptr || row.num_threads > best->num_threads ||
        (row.num_threads == best->num_threads && row.num_particles >= best->num_particles))
      best = &row;
  }
  return best;
}

void add_bar(Page& page, const BenchRow* row, const BenchResult& result, double axis_end, const char* css,
             const char* what) {
  if (row == nullptr) return;
  page.down(19);
  const double share = share_of_limit(*row, result).largest();
  const double length = std::max(1.0, std::min(1.0, share / axis_end) * kBarRoom);
  page.add(R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="13"/>)", css, kMargin, page.y() - 11.5,
           length);
  page.text(kMargin + length + 6, "",
            fmt::format("{:.1f} %, {} {}/s", 100 * share, format_rate(row->rate.median()), what));
}

void add_shares(Page& page, const BenchReport& report) {
  const BenchResult& result = report.result;
  const int most = *std::max_element(report.plan.threads.begin(), report.plan.threads.end());
  page.down(30);
  page.text(kMargin, "head", fmt::format("Share of this machine's limit, {} thread{}", most, most == 1 ? "" : "s"));
  double largest = 0;
  for (const BenchRow& row : result.rows) largest = std::max(largest, share_of_limit(row, result).largest());
  const double axis_end = largest > 0 ? largest : 1;
  for (std::size_t c = 0; c < result.cases.size(); ++c) {
    page.down(28);
    page.text(kMargin, "name", result.cases[c].name);
    add_bar(page, best_row(result, c, BenchQuantity::kMean), result, axis_end, "mean", "means");
    add_bar(page, best_row(result, c, BenchQuantity::kMeanGradient), result, axis_end, "slope", "mean gradients");
    if (const BenchRow* row = best_row(result, c, BenchQuantity::kLikelihood)) {
      page.down(18);
      const BenchRow* slope = best_row(result, c, BenchQuantity::kLikelihoodGradient);
      page.text(
          kMargin, "soft",
          fmt::format("log-likelihoods {}/s{}", format_rate(row->rate.median()),
                      slope == nullptr ? "" : fmt::format(", with gradient {}/s", format_rate(slope->rate.median()))));
    }
  }
}

void add_scaling(Page& page, const BenchReport& report) {
  std::vector<int> threads = report.plan.threads;
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  if (threads.size() < 2) return;
  page.down(40);
  page.text(kMargin, "head", "Means: what more threads bring");
  page.down(8);
  const double fewest = threads.front(), most = threads.back();
  constexpr double kHeight = 220;
  const BenchResult& result = report.result;
  std::vector<std::vector<double>> x(result.cases.size()), y(result.cases.size());
  double lowest = 1, highest = most / fewest;
  for (std::size_t c = 0; c < result.cases.size(); ++c) {
    for (const int count : threads) {
      double rate = 0;
      // Rows stand in order of the number of particles: the last one counts.
      for (const BenchRow& row : result.rows) {
        if (row.case_index == c && row.quantity == BenchQuantity::kMean && row.num_threads == count &&
            row.precision == result.rows.front().precision && row.device == "cpu" && !row.rate.values.empty())
          rate = row.rate.median();
      }
      if (rate > 0) {
        x[c].push_back(count);
        y[c].push_back(rate);
      }
    }
    for (std::size_t i = y[c].size(); i-- > 0;) {
      y[c][i] /= y[c].front();
      lowest = std::min(lowest, y[c][i]);
      highest = std::max(highest, y[c][i]);
    }
  }
  SvgPlot plot(
      "rate over threads", {.lower = fewest, .upper = most, .logarithmic = true, .label = "threads"},
      {.lower = 0.95 * lowest, .upper = 1.05 * highest, .logarithmic = true, .label = "times faster; dashed: ideal"},
      {.width = kWidth - 2 * kMargin, .height = kHeight});
  const double ideal_x[] = {fewest, most}, ideal_y[] = {1, most / fewest};
  plot.line(ideal_x, ideal_y, "line ideal");
  for (std::size_t c = 0; c < result.cases.size(); ++c) plot.line(x[c], y[c], fmt::format("line c{}", c % kNumColours));
  page.add(R"(<svg x="{:g}" y="{:.1f}" width="{:g}" height="{:g}">{}</svg>)", kMargin, page.y(), kWidth - 2 * kMargin,
           kHeight, plot.svg());
  page.down(kHeight + 6);
  for (std::size_t c = 0; c < result.cases.size(); ++c) {
    page.down(18);
    page.add(R"(<path class="line c{}" d="M{:g} {:.1f}h22"/>)", c % kNumColours, kMargin, page.y() - 4.5);
    page.text(kMargin + 30, "", result.cases[c].name);
  }
}

}  // namespace

std::string bench_plot(const BenchReport& report) {
  Page page;
  add_shares(page, report);
  add_scaling(page, report);
  page.down(28);
  page.text(kMargin, "soft", fmt::format("{}, {} usable cores", report.machine.cpu, report.machine.num_usable_cores));
  page.down(18);
  page.text(kMargin, "soft", "The limit: a loop of multiply-adds in registers,");
  page.down(18);
  page.text(kMargin, "soft", "or of copies through memory, in the same run.");
  return page.svg("Throughput of Sojourn on this machine");
}

}  // namespace sojourn::cli
