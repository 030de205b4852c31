#include "evaluation/contour.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <numbers>
#include <numeric>

namespace sojourn {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kLargestRatio = 50;
constexpr std::int32_t kLargestNumNodes = 64;
/// Lanes of a wide pack of nodes with four doubles to a register: fewer would cost as much.
constexpr std::int32_t kNodeGrain = 16;

/// Where a tilted law should be flat, as a part of a window's last time: a law falls faster beyond than before.
constexpr double kReferencePart = 0.5;

/// Logarithm of the worst relative error over the window, after the estimates of Weideman and Trefethen (2007).
double log_error(double alpha, double step, double vertex, double ratio, double last_node, double pole_margin) {
  const double inner = pole_margin - 2 * kPi * (kPi / 2 - alpha) / step;
  const double outer = vertex - 2 * kPi * alpha / step;
  const double truncation = vertex / ratio * (1 - std::sin(alpha) * std::cosh(step * last_node));
  const double rounding = std::log(std::numeric_limits<double>::epsilon() / 2) + vertex * (1 - std::sin(alpha));
  return std::max(std::max(inner, outer), std::max(truncation, rounding));
}

/// Best vertex for an angle and a step. All four logarithms are linear in the vertex; truncation falls, so the best
/// vertex is where it first meets one that rises.
double best_vertex(double alpha, double step, double ratio, double last_node) {
  const double fall = (std::sin(alpha) * std::cosh(step * last_node) - 1) / ratio;
  if (!(fall > 0)) return 1;
  const double meets_outer = 2 * kPi * alpha / step / (fall + 1);
  const double meets_rounding = -std::log(std::numeric_limits<double>::epsilon() / 2) / (fall + 1 - std::sin(alpha));
  return std::min(meets_outer, meets_rounding);
}

/// The fewest nodes that reach `target`, or the most allowed.
ContourShape search_cheapest_shape(double ratio, double target) {
  std::int32_t low = 1, high = kLargestNumNodes / kNodeGrain;
  ContourShape best = best_contour_shape(ratio, kNodeGrain * high, kPoleMargin);
  while (low < high) {
    const std::int32_t middle = (low + high) / 2;
    const ContourShape shape = best_contour_shape(ratio, kNodeGrain * middle, kPoleMargin);
    if (shape.error <= target) {
      best = shape;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return best;
}

/// s(u) and s'(u) / i: sin(iu - alpha) = -sin(alpha) cosh(u) + i cos(alpha) sinh(u), and cos(iu - alpha) likewise.
template <class Real>
std::complex<Real> hyperbola(Real mu, Real alpha, Real u) {
  return {mu * (1 - std::sin(alpha) * std::cosh(u)), mu * std::cos(alpha) * std::sinh(u)};
}
template <class Real>
std::complex<Real> hyperbola_slope(Real mu, Real alpha, Real u) {
  return {mu * std::cos(alpha) * std::cosh(u), mu * std::sin(alpha) * std::sinh(u)};
}

/// Dot products of rows [first, first + count) of a matrix with one vector, together: a single one would wait for its
/// own sum. A row's bits do not depend on the others.
constexpr std::size_t kTimesAtOnce = 4;
inline void dot_rows(const double* matrix, std::size_t width, std::size_t first, std::size_t count,
                     const double* vector, double* result) {
  static_assert(kTimesAtOnce == 4);
  const double* row[kTimesAtOnce];
  for (std::size_t i = 0; i < kTimesAtOnce; ++i) row[i] = matrix + (first + std::min(i, count - 1)) * width;
  double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
  for (std::size_t k = 0; k < width; ++k) {
    sum0 += row[0][k] * vector[k];
    sum1 += row[1][k] * vector[k];
    sum2 += row[2][k] * vector[k];
    sum3 += row[3][k] * vector[k];
  }
  result[0] = sum0;
  result[1] = sum1;
  result[2] = sum2;
  result[3] = sum3;
}

/// `search_cheapest_shape`, remembered for a single time: quantiles make many such contours, all of one shape.
ContourShape cheapest_shape(double ratio, double target) {
  if (ratio != 1) return search_cheapest_shape(ratio, target);
  static std::mutex mutex;
  static std::map<double, ContourShape> by_target;
  const std::lock_guard lock(mutex);
  const auto found = by_target.find(target);
  return found != by_target.end() ? found->second
                                  : by_target.emplace(target, search_cheapest_shape(ratio, target)).first->second;
}

}  // namespace

ContourShape best_contour_shape(double ratio, std::int32_t num_nodes, double pole_margin) {
  const double last_node = num_nodes - 1;
  ContourShape best;
  double best_error = std::numeric_limits<double>::infinity();
  double alpha_low = 0.5, alpha_high = 1.5, step_low = std::log(0.8), step_high = std::log(9.0);
  constexpr int kGrid = 16;
  for (int round = 0; round < 3; ++round) {
    const double alpha_width = (alpha_high - alpha_low) / kGrid, step_width = (step_high - step_low) / kGrid;
    double best_log_step = 0;
    for (int i = 0; i <= kGrid; ++i) {
      for (int j = 0; j <= kGrid; ++j) {
        const double alpha = alpha_low + i * alpha_width, log_step = step_low + j * step_width;
        const double step = std::exp(log_step) / num_nodes;
        const double vertex = best_vertex(alpha, step, ratio, last_node);
        const double error = log_error(alpha, step, vertex, ratio, last_node, pole_margin);
        if (error < best_error) {
          best_error = error;
          best = {alpha, step, vertex, num_nodes, std::exp(error)};
          best_log_step = log_step;
        }
      }
    }
    if (best_log_step == 0) best_log_step = std::log(best.step * num_nodes);
    alpha_low = std::max(0.3, best.alpha - alpha_width);
    alpha_high = std::min(1.55, best.alpha + alpha_width);
    step_low = best_log_step - step_width;
    step_high = best_log_step + step_width;
  }
  return best;
}

SharedContour::SharedContour(std::span<const double> times, double rtol) : num_times_(times.size()) {
  place_.resize(times.size());
  if (times.empty()) return;
  std::vector<std::size_t> order(times.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });

  // Tails are worth relative accuracy far below the largest value, so the goal leaves three digits to the bulk.
  const double target = std::max(1e-3 * rtol, 4e-14);
  std::vector<ContourShape> best_shapes;
  std::vector<std::vector<std::size_t>> best_groups;
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  const double range = std::log(times[order.back()] / times[order.front()]);
  const auto fewest_windows = static_cast<std::int32_t>(std::max(1.0, std::ceil(range / std::log(kLargestRatio))));
  for (std::int32_t num_windows = fewest_windows; num_windows <= fewest_windows + 2; ++num_windows) {
    const double widest = std::exp(range / num_windows) * (1 + 1e-12);
    std::vector<std::vector<std::size_t>> groups;
    for (const std::size_t time : order) {
      if (groups.empty() || times[time] > widest * times[groups.back().front()]) groups.emplace_back();
      groups.back().push_back(time);
    }
    std::vector<ContourShape> shapes;
    std::int64_t total = 0;
    for (const auto& group : groups) {
      shapes.push_back(cheapest_shape(times[group.back()] / times[group.front()], target));
      total += shapes.back().num_nodes;
    }
    if (total < fewest) {
      fewest = total;
      best_shapes = std::move(shapes);
      best_groups = std::move(groups);
    }
    if (range == 0) break;
  }

  for (std::size_t w = 0; w < best_groups.size(); ++w) {
    windows_.push_back(make_window<long double>(best_shapes[w], std::move(best_groups[w]), times, w));
  }
}

SharedContour::SharedContour(std::span<const double> times, const ContourShape& shape) : num_times_(times.size()) {
  place_.resize(times.size());
  std::vector<std::size_t> order(times.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });
  windows_.push_back(make_window<double>(shape, std::move(order), times, 0));
}

std::int64_t SharedContour::num_bytes() const {
  std::size_t bytes = 16 * (nodes_.size() + check_nodes_.size() + place_.size());
  for (const Window& window : windows_) {
    bytes += 8 * (window.weights.size() + window.sizes.size() + window.check_sizes.size() + window.times.size()) +
             sizeof(contour_bound::Place) * window.places.size();
  }
  return static_cast<std::int64_t>(bytes);
}

double SharedContour::multiply_adds_to_invert() const {
  std::size_t sum = 0;  // value, size of the terms, size at the check nodes
  for (const Window& window : windows_) sum += window.times.size() * (3 * window.num_nodes + window.num_checks);
  return static_cast<double>(sum);
}

double SharedContour::multiply_adds_of_gradient(std::span<const double> by_value, std::size_t num_rates) const {
  std::size_t sum = 0;
  for (const Window& window : windows_) {
    const auto counts = [&](std::size_t time) { return by_value[time] != 0; };
    const auto num_times = static_cast<std::size_t>(std::count_if(window.times.begin(), window.times.end(), counts));
    sum += 2 * window.num_nodes * (num_times + num_rates);
  }
  return static_cast<double>(sum);
}

template <class Real>
SharedContour::Window SharedContour::make_window(const ContourShape& shape, std::vector<std::size_t> group,
                                                 std::span<const double> times, std::size_t position) {
  Window window;
  window.node_begin = nodes_.size();
  window.num_nodes = static_cast<std::size_t>(shape.num_nodes);
  window.check_begin = check_nodes_.size();
  window.num_checks = (window.num_nodes / 2 + kNodeGrain - 1) / kNodeGrain * kNodeGrain;
  const double inner_exponent = 2 * kPi * (kPi / 2 - shape.alpha) / shape.step;
  const double check_exponential = std::exp(-contour_bound::kCheckShift * inner_exponent);
  window.times = std::move(group);
  window.reference_time = kReferencePart * times[window.times.back()];
  const Real mu = static_cast<Real>(shape.vertex) / times[window.times.back()];
  const Real step = shape.step, alpha = shape.alpha;
  window.height = static_cast<double>(mu * std::sinh(step * static_cast<Real>(shape.num_nodes)));
  std::vector<std::complex<Real>> outer;  // (h / pi) s'(u) / i, halved at the vertex
  for (std::size_t k = 0; k < window.num_nodes; ++k) {
    const Real u = step * static_cast<Real>(k);
    nodes_.emplace_back(hyperbola(mu, alpha, u));
    outer.push_back(hyperbola_slope(mu, alpha, u) * (step / std::numbers::pi_v<Real> * (k == 0 ? Real(0.5) : Real(1))));
  }
  const double check_alpha = shape.alpha + contour_bound::kCheckShift * (kPi / 2 - shape.alpha);
  const double check_step = shape.step * static_cast<double>(window.num_nodes) / static_cast<double>(window.num_checks);
  std::vector<double> check_outer;
  for (std::size_t k = 0; k < window.num_checks; ++k) {
    const double u = check_step * (static_cast<double>(k) + 0.5);
    check_nodes_.emplace_back(hyperbola<Real>(mu, check_alpha, u));
    check_outer.push_back(static_cast<double>(std::abs(hyperbola_slope<Real>(mu, check_alpha, u))) * check_step / kPi);
  }
  const auto num_times = window.times.size();
  window.weights.resize(2 * window.num_nodes * num_times);
  for (std::size_t n = 0; n < num_times; ++n) {
    place_[window.times[n]] = {position, n};
    const double t = times[window.times[n]];
    double* const row = window.weights.data() + 2 * window.num_nodes * n;
    for (std::size_t k = 0; k < window.num_nodes; ++k) {
      // The node as stored, so that its rounding moves transform and exponential alike.
      const std::complex<Real> s(nodes_[window.node_begin + k]);
      const std::complex<Real> weight = outer[k] * std::exp(s * static_cast<Real>(t));
      row[k] = static_cast<double>(weight.real());
      row[window.num_nodes + k] = static_cast<double>(-weight.imag());
      window.sizes.push_back(static_cast<double>(std::abs(weight)));
    }
    for (std::size_t k = 0; k < window.num_checks; ++k) {
      window.check_sizes.push_back(check_outer[k] * std::exp(check_nodes_[window.check_begin + k].real() * t));
    }
    window.places.push_back({.inner_exponent = inner_exponent,
                             .check_exponential = check_exponential,
                             .time = t,
                             .decay = std::exp(-nodes_[window.node_begin].real() * t),
                             .check_decay = std::exp(-static_cast<double>(mu) * (1 - std::sin(check_alpha)) * t),
                             .outer = std::exp(static_cast<double>(mu) * t - 2 * kPi * shape.alpha / shape.step)});
  }
  return window;
}

void SharedContour::tilt_nodes(std::span<const double> tilts, std::span<std::complex<double>> nodes,
                               std::span<std::complex<double>> check_nodes) const {
  for (std::size_t w = 0; w < windows_.size(); ++w) {
    const Window& window = windows_[w];
    for (std::size_t k = window.node_begin; k < window.node_begin + window.num_nodes; ++k)
      nodes[k] = nodes_[k] - tilts[w];
    for (std::size_t k = window.check_begin; k < window.check_begin + window.num_checks; ++k)
      check_nodes[k] = check_nodes_[k] - tilts[w];
  }
}

template <>
void SharedContour::invert_on<kThisSet>(std::span<const std::complex<double>> transform,
                                        std::span<const std::complex<double>> check, std::span<const double> tilts,
                                        double transform_roundings, std::span<double> value, std::span<double> error,
                                        std::span<double> scratch) const {
  for (std::size_t w = 0; w < windows_.size(); ++w) {
    const Window& window = windows_[w];
    const std::size_t num_nodes = window.num_nodes, num_checks = window.num_checks;
    double* const parts = scratch.data();  // Re F, then Im F
    double* const sizes = parts + 2 * num_nodes;
    double* const check_sizes = sizes + num_nodes;
    const auto size_of = [](const std::complex<double>& z) {
      return std::sqrt(z.real() * z.real() + z.imag() * z.imag());
    };
    for (std::size_t k = 0; k < num_nodes; ++k) {
      const std::complex<double> node = transform[window.node_begin + k];
      parts[k] = node.real();
      parts[num_nodes + k] = node.imag();
      sizes[k] = size_of(node);
    }
    const double largest = *std::max_element(sizes, sizes + num_nodes);
    for (std::size_t k = 0; k < num_checks; ++k) check_sizes[k] = size_of(check[window.check_begin + k]);

    for (std::size_t first = 0; first < window.times.size(); first += kTimesAtOnce) {
      const std::size_t count = std::min(kTimesAtOnce, window.times.size() - first);
      double sums[kTimesAtOnce], all_sizes[kTimesAtOnce], all_check_sizes[kTimesAtOnce];
      dot_rows(window.weights.data(), 2 * num_nodes, first, count, parts, sums);
      dot_rows(window.sizes.data(), num_nodes, first, count, sizes, all_sizes);
      dot_rows(window.check_sizes.data(), num_checks, first, count, check_sizes, all_check_sizes);
      for (std::size_t n = first; n < first + count; ++n) {
        const double size = all_sizes[n - first], check_size = all_check_sizes[n - first];
        const double* const weight_sizes = window.sizes.data() + n * num_nodes;
        const double last =
            weight_sizes[num_nodes - 1] * sizes[num_nodes - 1] + weight_sizes[num_nodes - 2] * sizes[num_nodes - 2];
        const double bound =
            contour_bound::error(window.places[n], {size, check_size, last, largest}, tilts[w], transform_roundings);
        const std::size_t time = window.times[n];
        value[time] = sums[n - first];
        error[time] = bound;
      }
    }
  }
}

template <>
void SharedContour::add_gradient_on<kThisSet>(std::span<const double> by_value,
                                              std::span<const std::complex<double>> transform_gradient,
                                              std::span<double> gradient, std::span<double> scratch) const {
  const std::size_t num_rates = gradient.size();
  for (const Window& window : windows_) {
    double* const sum = scratch.data();
    std::fill_n(sum, 2 * window.num_nodes, 0.0);
    for (std::size_t n = 0; n < window.times.size(); ++n) {
      const double factor = by_value[window.times[n]];
      if (factor == 0) continue;
      const double* const weights = window.weights.data() + n * 2 * window.num_nodes;
#pragma omp simd
      for (std::size_t k = 0; k < 2 * window.num_nodes; ++k) sum[k] += factor * weights[k];
    }
    for (std::size_t k = 0; k < window.num_nodes; ++k) {
      const double real = sum[k], imaginary = sum[window.num_nodes + k];
      const std::complex<double>* const slope = transform_gradient.data() + (window.node_begin + k) * num_rates;
      for (std::size_t p = 0; p < num_rates; ++p) gradient[p] += real * slope[p].real() + imaginary * slope[p].imag();
    }
  }
}

template <>
void SharedContour::add_gradient_on<kThisSet>(std::size_t time, double by_value,
                                              std::span<const std::complex<double>> transform_gradient,
                                              std::span<double> gradient) const {
  const std::size_t num_rates = gradient.size();
  const Window& window = windows_[place_[time].first];
  const double* const weights = window.weights.data() + place_[time].second * 2 * window.num_nodes;
  for (std::size_t k = 0; k < window.num_nodes; ++k) {
    const double real = by_value * weights[k];
    const double imaginary = by_value * weights[window.num_nodes + k];
    const std::complex<double>* const slope = transform_gradient.data() + (window.node_begin + k) * num_rates;
    for (std::size_t p = 0; p < num_rates; ++p) gradient[p] += real * slope[p].real() + imaginary * slope[p].imag();
  }
}

}  // namespace sojourn
