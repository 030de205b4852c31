#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "result/page_text.hpp"
#include "result/report_figures.hpp"

namespace sojourn {

namespace {

constexpr double kWidth = 380;
constexpr double kGap = 4;
constexpr std::size_t kMaxDots = 300;

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / n;
    mean_b += b[i] / n;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
    ab += (a[i] - mean_a) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

/// At most `most` characters, the last one an ellipsis where something is cut.
std::string shortened(const std::string& name, std::size_t most) {
  std::size_t characters = 0, cut = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if ((name[i] & 0xC0) == 0x80) continue;
    if (++characters == most) cut = i;
  }
  return characters <= most ? name : name.substr(0, cut) + "…";
}

class PairPicture {
 public:
  PairPicture(const RunFacts& facts, const std::vector<DensityCurve>& curves)
      : facts_(facts),
        curves_(curves),
        cell_((kWidth - kGap * (static_cast<double>(curves.size()) - 1)) / static_cast<double>(curves.size())) {}

  std::string svg() {
    const std::size_t d = curves_.size();
    out_ = fmt::format(
        "<svg class=\"plot pairs\" viewBox=\"0 0 {0:g} {0:g}\" role=\"img\" aria-label=\"Pairs of "
        "parameters: scatter plots below the diagonal, correlations above it\">",
        kWidth);
    for (std::size_t row = 0; row < d; ++row) {
      for (std::size_t column = 0; column < d; ++column) {
        fmt::format_to(std::back_inserter(out_), "<svg x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">",
                       static_cast<double>(column) * (cell_ + kGap), static_cast<double>(row) * (cell_ + kGap), cell_,
                       cell_);
        if (row != column) {
          fmt::format_to(std::back_inserter(out_), "<rect class=\"cell\" width=\"{0:.1f}\" height=\"{0:.1f}\"/>",
                         cell_);
        }
        if (row == column) {
          append_diagonal(row);
        } else if (column < row) {
          append_scatter(row, column);
        } else {
          append_correlation(row, column);
        }
        out_ += "</svg>";
      }
    }
    return out_ + "</svg>\n";
  }

 private:
  /// Share of the way through a parameter's picture range, with a margin.
  [[nodiscard]] double place(std::size_t parameter, double value) const {
    const auto& x = curves_[parameter].x;
    return cell_ * (0.04 + 0.92 * (value - x.front()) / (x.back() - x.front()));
  }

  void append_diagonal(std::size_t k) {
    const DensityCurve& curve = curves_[k];
    const double peak = *std::max_element(curve.posterior.begin(), curve.posterior.end());
    const double room = std::max(cell_ - 24, 0.4 * cell_);
    std::string path = fmt::format("M{:.1f} {:.1f}", place(k, curve.x.front()), cell_ - 1);
    for (std::size_t i = 0; i < curve.x.size(); i += 2) {
      fmt::format_to(std::back_inserter(path), "L{:.1f} {:.1f}", place(k, curve.x[i]),
                     cell_ - 1 - room * curve.posterior[i] / peak);
    }
    fmt::format_to(std::back_inserter(path), "L{:.1f} {:.1f}Z", place(k, curve.x.back()), cell_ - 1);
    const auto most = static_cast<std::size_t>(std::max(2.0, cell_ / 8.4));
    fmt::format_to(std::back_inserter(out_),
                   "<path class=\"fill post-soft\" d=\"{0}\"/><path class=\"line post thin\" d=\"{0}\"/>"
                   "<text class=\"name\" x=\"{1:.1f}\" y=\"15\" text-anchor=\"middle\">{2}</text>",
                   path, 0.5 * cell_, escape_html(shortened(facts_.parameters[k].summary.name, most)));
  }

  void append_scatter(std::size_t row, std::size_t column) {
    const auto& x = facts_.parameters[column].natural;
    const auto& y = facts_.parameters[row].natural;
    const std::size_t num_dots = std::min(x.size(), kMaxDots);
    std::string path;
    for (std::size_t i = 0; i < num_dots; ++i) {
      const std::size_t at = i * x.size() / num_dots;
      // Picture ranges hold the central 99 %; what lies far outside is clipped by the cell.
      fmt::format_to(std::back_inserter(path), "M{:.1f} {:.1f}h0", std::clamp(place(column, x[at]), -99.0, 999.0),
                     cell_ - std::clamp(place(row, y[at]), -99.0, 999.0));
    }
    fmt::format_to(std::back_inserter(out_), "<path class=\"dots post\" stroke-width=\"{}\" d=\"{}\"/>",
                   curves_.size() > 3 ? "2.2" : "3.2", path);
  }

  void append_correlation(std::size_t row, std::size_t column) {
    const double r = correlation(facts_.parameters[row].natural, facts_.parameters[column].natural);
    const std::string text = std::isfinite(r) ? fmt::format("{}{:.2f}", r < 0 ? "−" : "", std::abs(r)) : "n/a";
    fmt::format_to(std::back_inserter(out_), "<text x=\"{0:.1f}\" y=\"{1:.1f}\" text-anchor=\"middle\"{3}>{2}</text>",
                   0.5 * cell_, 0.5 * cell_ + 5, text, std::abs(r) >= 0.7 ? " class=\"strong\"" : "");
  }

  const RunFacts& facts_;
  const std::vector<DensityCurve>& curves_;
  double cell_;
  std::string out_;
};

}  // namespace

Figure pair_figure(const RunFacts& facts, const std::vector<DensityCurve>& curves) {
  if (curves.size() < 2 || curves.size() > 6) return {};
  if (std::any_of(curves.begin(), curves.end(), [](const DensityCurve& curve) { return curve.x.empty(); })) return {};
  return {PairPicture(facts, curves).svg(),
          "Each dot is a particle, with the column's parameter to the right and the row's upwards; numbers are "
          "correlations. A long thin cloud means that the data fix a combination of two parameters better than either "
          "alone; a bent one means that intervals of single parameters tell only part of the story."};
}

}  // namespace sojourn
