#include "posterior/compression.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "posterior/chebyshev_tail.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// A data set of a smaller range in log t is interpolated in log t itself: powers of t are straight lines there.
constexpr double kShortRange = 4;
/// The shift c is this part of the data's median: early times are linear in log(t + c), where laws are analytic in t.
constexpr double kShiftPart = 0.25;
constexpr std::size_t kBlock = 64;

constexpr bool LawPoint::*kFlag[] = {&LawPoint::density, &LawPoint::survival, &LawPoint::cdf};

/// T_k at node m of N, x_m = cos(pi m / (N - 1)): the ends are nodes, so that no observation lies outside them.
double node_polynomial(int k, int m, int num_nodes) {
  return std::cos(std::numbers::pi * (k * m % (2 * (num_nodes - 1))) / (num_nodes - 1));
}

/// The first and the last term of the sums below count half.
double half_at_ends(int index, int num_nodes) { return index == 0 || index == num_nodes - 1 ? 0.5 : 1.0; }

/// W_m = sum_i w_i l_m(x_i) = 2 h_m / (N - 1) sum_k h_k M_k T_k(x_m) from the moments M_k = sum_i w_i T_k(x_i), x in
/// [-1, 1], h being 1/2 at the ends and 1 between.
std::vector<double> interpolation_weights(const std::vector<double>& x, const std::vector<double>& weight,
                                          int num_nodes) {
  std::vector<long double> moment(num_nodes, 0.0L);
  for (std::size_t begin = 0; begin < x.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, x.size() - begin);
    double position[kBlock] = {}, w[kBlock] = {}, before[kBlock], now[kBlock];
    std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(begin), count, position);
    std::copy_n(weight.begin() + static_cast<std::ptrdiff_t>(begin), count, w);
    for (std::size_t i = 0; i < kBlock; ++i) {
      before[i] = position[i];  // T_-1 = T_1
      now[i] = 1;
    }
    for (int k = 0; k < num_nodes; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < kBlock; ++i) {
        sum += w[i] * now[i];
        const double next = 2 * position[i] * now[i] - before[i];
        before[i] = now[i];
        now[i] = next;
      }
      moment[k] += sum;
    }
  }
  std::vector<double> weights(num_nodes);
  for (int m = 0; m < num_nodes; ++m) {
    long double sum = 0;
    for (int k = 0; k < num_nodes; ++k)
      sum += half_at_ends(k, num_nodes) * moment[k] * node_polynomial(k, m, num_nodes);
    weights[m] = static_cast<double>(2 * half_at_ends(m, num_nodes) * sum / (num_nodes - 1));
  }
  return weights;
}

/// Time at which half of the absolute weight of all linear terms lies below.
double median_time(const std::vector<LawPoint>& points, const std::array<std::span<const double>, 3>& weights,
                   double total) {
  double sum = 0;
  for (std::size_t p = 0; p < points.size(); ++p) {
    for (const auto& weight : weights) sum += std::abs(weight[p]);
    if (sum >= 0.5 * total) return points[p].value;
  }
  return points.back().value;
}

}  // namespace

std::optional<CompressedLikelihood> CompressedLikelihood::make(const Likelihood& exact, const LawSupport& support,
                                                               TimeKind time_kind, const CompressionShape& shape) {
  if (time_kind == TimeKind::kDiscrete) return std::nullopt;
  const std::vector<LawPoint>& points = exact.points();
  const auto weights = exact.weights();
  const auto replaceable = [&](std::size_t law, std::size_t p) { return weights[law][p] != 0 && points[p].value > 0; };
  double earliest = kInfinity, latest = 0, total = 0;
  for (std::size_t p = 0; p < points.size(); ++p) {
    for (std::size_t law = 0; law < 3; ++law) {
      total += std::abs(weights[law][p]);
      if (!replaceable(law, p)) continue;
      earliest = std::min(earliest, points[p].value);
      latest = std::max(latest, points[p].value);
    }
  }
  if (!(earliest < latest)) return std::nullopt;

  double shift = 0;
  std::array<double, 3> power{};
  if (shape.shifted && std::log(latest) - std::log(earliest) > kShortRange) {
    shift = kShiftPart * median_time(points, weights, total);
    const auto steps = static_cast<double>(support.least_earning_steps);
    power = {std::max(0.0, steps - 1), 0, support.atom ? 0 : steps};
  }
  const auto position = [&](double t) { return std::log(t + shift); };
  const double low = position(earliest), range = position(latest) - low;
  const double num_cuts = std::max(1.0, std::ceil(range / shape.widest));

  std::vector<Piece> pieces;
  std::size_t num_nodes = 0;
  std::vector<LawPoint> new_points;
  std::array<std::vector<double>, 3> new_weights;
  const auto add_point = [&](double value) {
    new_points.push_back({value, false, false, false});
    for (auto& weight : new_weights) weight.push_back(0);
    return new_points.size() - 1;
  };

  std::array<std::vector<char>, 3> replaced;
  for (auto& flags : replaced) flags.assign(points.size(), 0);
  long double constant = 0;
  std::vector<double> x, w;
  for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
    const auto cut_of = [&](std::size_t p) {
      return std::clamp(std::floor((position(points[p].value) - low) / range * num_cuts), 0.0, num_cuts - 1);
    };
    const double cut = cut_of(begin);
    for (end = begin; end < points.size() && cut_of(end) == cut;) ++end;
    std::array<bool, 3> compressed{};
    double first = kInfinity, last = -kInfinity;
    for (std::size_t law = 0; law < 3; ++law) {
      std::size_t count = 0;
      double law_first = kInfinity, law_last = -kInfinity;
      for (std::size_t p = begin; p < end; ++p) {
        if (!replaceable(law, p)) continue;
        if (count++ == 0) law_first = points[p].value;
        law_last = points[p].value;
      }
      if (count <= static_cast<std::size_t>(shape.num_nodes)) continue;
      compressed[law] = true;
      first = std::min(first, law_first);
      last = std::max(last, law_last);
    }
    if (!(first < last)) continue;
    const double middle = 0.5 * (position(first) + position(last)), half = 0.5 * (position(last) - position(first));
    const std::size_t node_begin = new_points.size();
    for (int m = 0; m < shape.num_nodes; ++m)
      add_point(std::clamp(std::exp(middle + half * node_polynomial(1, m, shape.num_nodes)) - shift, first, last));
    num_nodes += static_cast<std::size_t>(shape.num_nodes);
    for (std::size_t law = 0; law < 3; ++law) {
      if (!compressed[law]) continue;
      Piece piece{static_cast<int>(law),
                  static_cast<std::int32_t>(begin),
                  static_cast<std::int32_t>(end),
                  node_begin,
                  static_cast<std::size_t>(shape.num_nodes),
                  0,
                  {}};
      x.clear();
      w.clear();
      for (std::size_t p = begin; p < end; ++p) {
        if (!replaceable(law, p)) continue;
        replaced[law][p] = 1;
        x.push_back(half > 0 ? std::clamp((position(points[p].value) - middle) / half, -1.0, 1.0) : 0.0);
        w.push_back(weights[law][p]);
        piece.weight += std::abs(w.back());
        if (power[law] != 0) constant += static_cast<long double>(power[law]) * w.back() * std::log(points[p].value);
      }
      const std::vector<double> node_weights = interpolation_weights(x, w, shape.num_nodes);
      for (std::size_t m = 0; m < piece.count; ++m) {
        LawPoint& node = new_points[node_begin + m];
        node.*kFlag[law] = true;
        new_weights[law][node_begin + m] = node_weights[m];
        piece.offset.push_back(power[law] != 0 ? power[law] * std::log(node.value) : 0.0);
        constant -= static_cast<long double>(node_weights[m]) * piece.offset.back();
      }
      pieces.push_back(std::move(piece));
    }
  }
  if (pieces.empty()) return std::nullopt;

  const std::vector<char> in_intervals = exact.in_intervals();
  std::vector<std::int32_t> kept(points.size(), -1);
  for (std::size_t p = 0; p < points.size(); ++p) {
    bool keep = in_intervals[p] != 0;
    for (std::size_t law = 0; law < 3; ++law) keep |= points[p].*kFlag[law] && !replaced[law][p];
    if (!keep) continue;
    const std::size_t place = add_point(points[p].value);
    kept[p] = static_cast<std::int32_t>(place);
    for (std::size_t law = 0; law < 3; ++law) {
      // An interval reads both tails.
      new_points[place].*kFlag[law] = points[p].*kFlag[law] && (!replaced[law][p] || (in_intervals[p] && law != 0));
      if (!replaced[law][p]) new_weights[law][place] = weights[law][p];
    }
  }
  if (2 * new_points.size() > points.size()) return std::nullopt;

  CompressedLikelihood result(
      exact.rewritten(std::move(new_points), std::move(new_weights), static_cast<double>(constant), kept));
  result.pieces_ = std::move(pieces);
  result.kept_ = std::move(kept);
  result.total_weight_ = total;
  result.num_nodes_ = num_nodes;
  for (int k = shape.num_nodes - kNumTailCoefficients; k < shape.num_nodes; ++k) {
    for (int m = 0; m < shape.num_nodes; ++m)
      result.tail_.push_back(2 * half_at_ends(k, shape.num_nodes) * half_at_ends(m, shape.num_nodes) /
                             (shape.num_nodes - 1) * node_polynomial(k, m, shape.num_nodes));
  }
  return result;
}

double CompressedLikelihood::error_estimate(std::span<const double> log_density, std::span<const double> log_survival,
                                            std::span<const double> log_cdf) const {
  const std::span<const double> log_values[] = {log_density, log_survival, log_cdf};
  double error = 0;
  for (const Piece& piece : pieces_) {
    const double* const value = log_values[piece.law].data() + piece.node_begin;
    double largest = 0;
    for (int k = 0; k < kNumTailCoefficients; ++k) {
      const double* const row = tail_.data() + static_cast<std::size_t>(k) * piece.count;
      double coefficient = 0;
#pragma omp simd reduction(+ : coefficient)
      for (std::size_t m = 0; m < piece.count; ++m) coefficient += row[m] * (value[m] - piece.offset[m]);
      // Not std::max, which would lose a NaN.
      if (!(std::abs(coefficient) <= largest)) largest = std::abs(coefficient);
    }
    error += kTailFactor * piece.weight * largest;
  }
  return std::isnan(error) ? kInfinity : error;
}

std::array<std::vector<double>, 3> CompressedLikelihood::where_zero(std::span<const double> log_density,
                                                                    std::span<const double> log_survival,
                                                                    std::span<const double> log_cdf) const {
  const std::span<const double> log_values[] = {log_density, log_survival, log_cdf};
  std::array<std::vector<double>, 3> zero;
  for (std::size_t law = 0; law < 3; ++law) {
    zero[law].assign(kept_.size(), 0.0);
    for (std::size_t p = 0; p < kept_.size(); ++p) {
      if (kept_[p] >= 0 && likelihood_.points()[kept_[p]].*kFlag[law]) zero[law][p] = log_values[law][kept_[p]];
    }
  }
  for (const Piece& piece : pieces_) {
    const std::span<const double> nodes = log_values[piece.law].subspan(piece.node_begin, piece.count);
    if (std::find(nodes.begin(), nodes.end(), -kInfinity) == nodes.end()) continue;
    std::fill(zero[piece.law].begin() + piece.first, zero[piece.law].begin() + piece.last, -kInfinity);
  }
  return zero;
}

}  // namespace sojourn
