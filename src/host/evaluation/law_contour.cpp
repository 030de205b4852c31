#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluation/law_routes.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kMaxHalvings = 4;
const char* const kPolesNotProved = "the poles are not proved real and positive here; use auto or stepping";

}  // namespace

/// One Newton step from s = 0 towards the saddlepoint of each window's reference time, 1 / mean(s) being nearly linear:
/// exact for gamma laws. A step to the left is halved until all pivots are positive, which proves it right of the
/// poles.
void LawPlan::Impl::choose_tilts(Workspace& workspace) const {
  const bool survival = !wants_density;
  const double zero = 0;
  double value = 0, first = 0, second = 0;
  replay->evaluate_real(survival, {&zero, 1}, {&value, 1}, {&first, 1}, {&second, 1}, *workspace.replay);
  const double mean = -first / value, spread = second / value / (mean * mean) - 1;
  std::vector<double>&tilts = workspace.tilts, &trial = workspace.trial_shifts;
  for (std::size_t w = 0; w < tilts.size(); ++w) {
    tilts[w] = (1 / mean - 1 / contour.reference_time(w)) / spread;
    if (!(spread > 0) || !std::isfinite(tilts[w])) tilts[w] = 0;
  }
  for (int halving = 0; halving <= kMaxHalvings; ++halving) {
    trial.clear();
    for (const double tilt : tilts) {
      if (tilt > 0) trial.push_back(-tilt);
    }
    const std::span<bool> proved(workspace.proved.get(), trial.size());
    replay->right_of_poles(trial, proved, *workspace.replay);
    if (std::all_of(proved.begin(), proved.end(), [](bool yes) { return yes; })) return;
    std::size_t i = 0;
    for (double& tilt : tilts) {
      if (tilt > 0 && !proved[i++]) tilt = halving < kMaxHalvings ? tilt / 2 : 0;
    }
  }
}

void LawPlan::Impl::solve_by_contour(Workspace& workspace) const {
  choose_tilts(workspace);
  contour.tilt_nodes(workspace.tilts, workspace.nodes, workspace.check_nodes);
  const auto none = std::span<std::complex<double>>();
  replay->evaluate(workspace.nodes, workspace.density, workspace.survival,
                   workspace.gradient ? std::span(workspace.density_gradient) : none,
                   workspace.gradient ? std::span(workspace.survival_gradient) : none, *workspace.replay);
  replay->evaluate(workspace.check_nodes, workspace.density_check, workspace.survival_check, none, none,
                   *workspace.replay);
  // States far from the start can overflow without touching the value; a gradient that is no number settles nothing.
  const auto finite = [](std::span<const std::complex<double>> slopes) {
    double sum = 0;
    for (const std::complex<double>& slope : slopes) sum += 0 * slope.real() + 0 * slope.imag();
    return sum == 0;
  };
  const bool density_finite = !workspace.gradient || finite(workspace.density_gradient);
  const bool survival_finite = !workspace.gradient || finite(workspace.survival_gradient);
  const auto settle = [&](std::size_t e, double value, double error, double slope, double log_factor) {
    LawEntry& entry = workspace.entries[e];
    entry.method = LawMethod::kContour;
    entry.shared = true;
    entry.error = error / value;
    entry.log_value = std::log(value) + log_factor;
    entry.slope_factor = slope / value;
    const double t = points[point(e)].value;
    // Beyond these times products of two nodes leave the range of double.
    const bool in_range = t > 1e-90 && t < 1e90;
    if (!(value > 0) || !in_range || !(kind(e) == 0 ? density_finite : survival_finite)) entry.error = kInfinity;
    if (!holds(entry, workspace)) {
      workspace.pending.push_back(e);
    }
  };
  const int num_inversions = (wants_density ? 1 : 0) + (wants_survival ? 1 : 0);
  workspace.sum_multiply_adds += num_inversions * contour.multiply_adds_to_invert();
  const std::size_t num_points = points.size();
  const auto log_factor = [&](std::size_t j) {
    return -workspace.tilts[contour.window_of(j)] * points[times[j]].value;
  };
  if (wants_density) {
    contour.invert(workspace.density, workspace.density_check, workspace.tilts, replay->num_roundings(),
                   workspace.inverted, workspace.inverted_error, workspace.contour_scratch);
    for (std::size_t j = 0; j < times.size(); ++j) {
      if (points[times[j]].density)
        settle(times[j], workspace.inverted[j], workspace.inverted_error[j], 1, log_factor(j));
    }
  }
  if (wants_survival) {
    contour.invert(workspace.survival, workspace.survival_check, workspace.tilts, replay->num_roundings(),
                   workspace.inverted, workspace.inverted_error, workspace.contour_scratch);
    for (std::size_t j = 0; j < times.size(); ++j) {
      const double tilted = workspace.inverted[j], error = workspace.inverted_error[j];
      if (points[times[j]].survival) settle(num_points + times[j], tilted, error, 1, log_factor(j));
      if (!points[times[j]].cdf) continue;
      // 1 - survival: the absolute error stays, and the bound relative to the cdf says whether that loses anything.
      const double factor = std::exp(log_factor(j));
      settle(2 * num_points + times[j], 1 - factor * tilted, factor * error + kEpsilon, -factor, 0);
    }
  }
}

std::string LawPlan::Impl::solve_counts_by_contour(std::span<const double> phi, Workspace& workspace) const {
  const bool automatic = options.method == LawMethod::kAuto;
  double largest = 0;
  for (const std::size_t n : times) largest = std::max(largest, points[n].value);
  if (times.empty()) return "the counts are too small for a contour; use auto or stepping";
  const std::size_t num_transforms = (wants_density ? 1 : 0) + (wants_survival ? 1 : 0);
  const double by_contour =
      cost->contour(contour.nodes().size(), contour.check_nodes().size(), num_transforms, times.size());
  if (automatic && cost->stepping(largest) < by_contour) return "stepping is cheaper";
  if (!has_positive_poles(phi, largest, workspace)) return kPolesNotProved;
  replay->set_particle(phi, *workspace.replay);
  std::vector<std::size_t> small;
  for (const std::size_t e : asked) {
    if (!on_contour[point(e)]) small.push_back(e);
  }
  workspace.pending.clear();
  solve_by_contour(workspace);
  if (!workspace.pending.empty()) solve_from_saddles(LawMethod::kContour, workspace);
  if (automatic && !workspace.pending.empty()) {
    largest = 0;
    for (const std::size_t e : workspace.pending) largest = std::max(largest, points[point(e)].value);
    if (cost->saddlepoint(workspace.pending.size()) < cost->stepping(largest))
      solve_from_saddles(LawMethod::kSaddlepoint, workspace);
  }
  workspace.pending.insert(workspace.pending.end(), small.begin(), small.end());
  return "the contour's check does not certify it; use auto or stepping";
}

std::string LawPlan::Impl::solve_counts_by_saddles(std::span<const double> phi, Workspace& workspace) const {
  if (!counts_time) return "rewards other than 0 and 1 have no contour in discrete time; use auto";
  if (!has_positive_poles(phi, largest_value, workspace)) return kPolesNotProved;
  replay->set_particle(phi, *workspace.replay);
  solve_at_zero(workspace);
  std::erase_if(workspace.pending, [&](std::size_t e) { return points[point(e)].value == 0; });
  if (workspace.pending.empty() || solve_all_atom(workspace)) return {};
  solve_from_saddles(LawMethod::kSaddlepoint, workspace);
  return "the count is too small or too certain for a saddlepoint contour within the period of the generating "
         "function, or its rules do not agree; use auto or stepping";
}

bool LawPlan::Impl::has_positive_poles(std::span<const double> phi, double largest, Workspace& workspace) const {
  const double turn = spectrum->imaginary_bound(phi, workspace.spectrum_scratch) * largest;
  return turn <= kLargestTurn && spectrum->no_negative_eigenvalue(phi);
}

}  // namespace sojourn
