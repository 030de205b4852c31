#include "evaluation/tilted_contour.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int32_t kNumNodes = 32;
/// The window is wide, so its saddlepoint need not be exact.
constexpr double kSaddleTolerance = 0.2;

const ContourShape& group_shape() {
  static const ContourShape shape = best_contour_shape(TiltedContour::kRatio, kNumNodes, kPoleMargin);
  return shape;
}

}  // namespace

struct TiltedContour::Group {
  std::vector<std::size_t> members;  // requests, by time
  LawSide side;
  double s;  // saddlepoint
};

void TiltedContour::invert(std::span<const SaddleRequest> requests, double rtol, std::span<SaddleAnswer> answers,
                           std::span<double> gradient, TransformReplay::Workspace& workspace) const {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(requests[a].side, requests[a].t) < std::pair(requests[b].side, requests[b].t);
  });
  std::vector<Group> groups;
  for (const std::size_t m : order) {
    const SaddleRequest& request = requests[m];
    if (groups.empty() || groups.back().side != request.side ||
        request.t > kRatio * requests[groups.back().members.front()].t) {
      groups.push_back({{}, request.side, 0});
    }
    groups.back().members.push_back(m);
  }
  std::vector<SaddleRequest> centres;
  for (const Group& group : groups) {
    const double first = requests[group.members.front()].t, last = requests[group.members.back()].t;
    centres.push_back({std::sqrt(first) * std::sqrt(last), group.side});
  }
  std::vector<Saddle> saddles(groups.size());
  find_saddles(*replay_, discrete_, centres, kSaddleTolerance, saddles, workspace);
  std::fill(answers.begin(), answers.end(), SaddleAnswer{0, kInfinity, 0});
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (!saddles[g].valid || saddles[g].scaled) continue;
    groups[g].s = saddles[g].s;
    integrate(groups[g], requests, rtol, answers, gradient, workspace);
  }
}

void TiltedContour::integrate(const Group& group, std::span<const SaddleRequest> requests, double rtol,
                              std::span<SaddleAnswer> answers, std::span<double> gradient,
                              TransformReplay::Workspace& workspace) const {
  using Complex = std::complex<double>;
  const std::size_t num_rates = gradient.empty() ? 0 : static_cast<std::size_t>(replay_->num_rates());
  std::vector<double> times;
  for (const std::size_t m : group.members) times.push_back(requests[m].t);
  const SharedContour contour(times, group_shape());
  if (discrete_ && contour.height(0) > std::numbers::pi) return;
  std::vector<Complex> nodes(contour.nodes().size()), checks(contour.check_nodes().size());
  const double tilt = -group.s;
  contour.tilt_nodes({&tilt, 1}, nodes, checks);
  std::vector<Complex> transform(nodes.size()), check(checks.size()), slopes(nodes.size() * num_rates);
  const bool survival = group.side == LawSide::kSurvival, cdf = group.side == LawSide::kCdf;
  const std::span<Complex> none;
  replay_->evaluate(nodes, survival ? none : std::span(transform), survival ? std::span(transform) : none,
                    survival ? none : std::span(slopes), survival ? std::span(slopes) : none, workspace);
  replay_->evaluate(checks, survival ? none : std::span(check), survival ? std::span(check) : none, none, none,
                    workspace);
  // The running sum of a density is its transform over s, that of a mass its transform over 1 - exp(-s).
  const auto per_sum = [&](const Complex& s) { return 1.0 / (discrete_ ? -exponential_minus_one(-s) : s); };
  for (std::size_t k = 0; cdf && k < nodes.size(); ++k) {
    const Complex factor = per_sum(nodes[k]);
    transform[k] *= factor;
    for (std::size_t p = 0; p < num_rates; ++p) slopes[k * num_rates + p] *= factor;
  }
  for (std::size_t k = 0; cdf && k < checks.size(); ++k) check[k] *= per_sum(checks[k]);
  const bool finite = std::all_of(slopes.begin(), slopes.end(), [](const Complex& slope) {
    return std::isfinite(slope.real()) && std::isfinite(slope.imag());
  });
  if (!finite) return;
  std::vector<double> value(times.size()), error(times.size()), scratch(contour.scratch_size());
  contour.invert(transform, check, {&tilt, 1}, replay_->num_roundings(), value, error, scratch);
  for (std::size_t n = 0; n < times.size(); ++n) {
    const std::size_t m = group.members[n];
    if (!(value[n] > 0) || !(error[n] <= rtol * value[n])) continue;
    answers[m] = {std::log(value[n]) + group.s * times[n], error[n] / value[n],
                  static_cast<std::int32_t>(nodes.size())};
    if (num_rates > 0) contour.add_gradient(n, 1 / value[n], slopes, gradient.subspan(m * num_rates, num_rates));
  }
}

}  // namespace sojourn
