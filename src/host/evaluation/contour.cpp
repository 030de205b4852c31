#include "evaluation/contour.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace sojourn {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kLargestRatio = 50;
constexpr std::int32_t kLargestNumNodes = 64;

// Factors of the error bound, set so that it stays above the true error on all chains of the tests with real spectrum.
constexpr double kRoundingFactor = 4;
constexpr double kTruncationFactor = 2;
constexpr double kDiscretisationFactor = 10;

/// Logarithm of the worst relative error over the window, after the estimates of Weideman and Trefethen (2007).
double log_error(double alpha, double step, double vertex, double ratio, double last_node) {
  const double inner = -2 * kPi * (kPi / 2 - alpha) / step;
  // The paper has vertex - 2 pi alpha / step here; twice the vertex keeps the rule of double step, which certifies the
  // result, as good as the square root of it.
  const double outer = 2 * vertex - 2 * kPi * alpha / step;
  const double truncation = vertex / ratio * (1 - std::sin(alpha) * std::cosh(step * last_node));
  const double rounding = std::log(kEpsilon / 2) + vertex * (1 - std::sin(alpha));
  return std::max(std::max(inner, outer), std::max(truncation, rounding));
}

/// Best vertex for an angle and a step: truncation falls with the vertex, the rest rises.
double best_vertex(double alpha, double step, double ratio, double last_node, double& error) {
  double low = std::log(0.02), high = std::log(300.0);
  for (int i = 0; i < 24; ++i) {
    const double left = low + 0.382 * (high - low), right = low + 0.618 * (high - low);
    if (log_error(alpha, step, std::exp(left), ratio, last_node) <
        log_error(alpha, step, std::exp(right), ratio, last_node)) {
      high = right;
    } else {
      low = left;
    }
  }
  const double vertex = std::exp((low + high) / 2);
  error = log_error(alpha, step, vertex, ratio, last_node);
  return vertex;
}

/// The fewest nodes that reach `target`, or the most allowed.
ContourShape cheapest_shape(double ratio, double target) {
  std::int32_t low = 2, high = kLargestNumNodes / 4;  // in fours
  ContourShape best = best_contour_shape(ratio, 4 * high);
  while (low < high) {
    const std::int32_t middle = (low + high) / 2;
    const ContourShape shape = best_contour_shape(ratio, 4 * middle);
    if (shape.error <= target) {
      best = shape;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return best;
}

/// Error of the trapezoid rule of step h from how far those of steps 2h and 3h are off.
double discretisation_error(double two, double three, double scale) {
  return std::max(two * two / scale, three * three * three / (scale * scale));
}

}  // namespace

ContourShape best_contour_shape(double ratio, std::int32_t num_nodes) {
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
        double error = 0;
        const double vertex = best_vertex(alpha, step, ratio, last_node, error);
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

  // Tails are worth relative accuracy far below the largest value, so the goal leaves four digits to the bulk.
  const double target = std::max(1e-4 * rtol, 4e-14);
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
    const ContourShape& shape = best_shapes[w];
    Window window;
    window.node_begin = nodes_.size();
    window.num_nodes = static_cast<std::size_t>(shape.num_nodes);
    window.times = std::move(best_groups[w]);
    for (std::size_t part = 0; part < 4; ++part) {
      constexpr std::size_t kResidues[4][2] = {{0, 0}, {2, 4}, {3, 3}, {1, 5}};
      window.part_begin[part] = window.index.size();
      for (std::size_t k = 0; k < window.num_nodes; ++k) {
        if (k % 6 == kResidues[part][0] || k % 6 == kResidues[part][1]) window.index.push_back(k);
      }
      const std::size_t begin = window.part_begin[part], end = window.index.size();
      for (std::size_t position = begin; position < end; ++position) {
        window.real_place.push_back(begin + position);
        window.imaginary_place.push_back(end + position);
      }
    }
    window.part_begin[4] = window.num_nodes;
    const long double mu = static_cast<long double>(shape.vertex) / times[window.times.back()];
    const long double alpha = shape.alpha, step = shape.step;
    std::vector<std::complex<long double>> outer(window.num_nodes);  // (h / pi) s'(u) / i, halved at the vertex
    for (std::size_t position = 0; position < window.num_nodes; ++position) {
      const std::size_t k = window.index[position];
      const long double u = step * static_cast<long double>(k);
      // sin(iu - alpha) = -sin(alpha) cosh(u) + i cos(alpha) sinh(u), and cos(iu - alpha) likewise.
      nodes_.emplace_back(static_cast<double>(mu * (1 - std::sin(alpha) * std::cosh(u))),
                          static_cast<double>(mu * std::cos(alpha) * std::sinh(u)));
      const std::complex<long double> slope(std::cos(alpha) * std::cosh(u), std::sin(alpha) * std::sinh(u));
      outer[position] = slope * (step * mu / std::numbers::pi_v<long double>)*(k == 0 ? 0.5L : 1.0L);
      if (k + 1 == window.num_nodes) window.last[0] = position;
      if (k + 2 == window.num_nodes) window.last[1] = position;
    }
    for (std::size_t n = 0; n < window.times.size(); ++n) {
      const long double t = times[window.times[n]];
      place_[window.times[n]] = {w, n};
      const std::size_t row = window.weights.size();
      window.weights.resize(row + 2 * window.num_nodes);
      for (std::size_t k = 0; k < window.num_nodes; ++k) {
        const std::complex<long double> s(nodes_[window.node_begin + k]);
        const std::complex<long double> weight = outer[k] * std::exp(s * t);
        window.weights[row + window.real_place[k]] = static_cast<double>(weight.real());
        window.weights[row + window.imaginary_place[k]] = static_cast<double>(-weight.imag());
        window.sizes.push_back(static_cast<double>(std::abs(weight)));
      }
      window.decay.push_back(std::exp(-nodes_[window.node_begin].real() * static_cast<double>(t)));
    }
    windows_.push_back(std::move(window));
  }
}

void SharedContour::invert(std::span<const std::complex<double>> transform, std::span<double> value,
                           std::span<double> error, std::span<double> scratch) const {
  for (const Window& window : windows_) {
    const std::size_t num_nodes = window.num_nodes;
    double* const parts = scratch.data();  // laid out as the weights are
    double* const sizes = scratch.data() + 2 * num_nodes;
    const std::complex<double>* const node_value = transform.data() + window.node_begin;
    for (std::size_t k = 0; k < num_nodes; ++k) {
      const double real = node_value[k].real(), imaginary = node_value[k].imag();
      parts[window.real_place[k]] = real;
      parts[window.imaginary_place[k]] = imaginary;
      sizes[k] = std::sqrt(real * real + imaginary * imaginary);
    }
    for (std::size_t n = 0; n < window.times.size(); ++n) {
      const double* const weights = window.weights.data() + n * 2 * num_nodes;
      const double* const weight_sizes = window.sizes.data() + n * num_nodes;
      double part[4] = {}, size = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::size_t k = 2 * window.part_begin[i]; k < 2 * window.part_begin[i + 1]; ++k) {
          sum += weights[k] * parts[k];
        }
        part[i] = sum;
      }
#pragma omp simd reduction(+ : size)
      for (std::size_t k = 0; k < num_nodes; ++k) size += weight_sizes[k] * sizes[k];
      const double sum = (part[0] + part[1]) + (part[2] + part[3]);
      const double two = std::abs(2 * (part[0] + part[1]) - sum), three = std::abs(3 * (part[0] + part[2]) - sum);
      const double last =
          weight_sizes[window.last[0]] * sizes[window.last[0]] + weight_sizes[window.last[1]] * sizes[window.last[1]];
      const std::size_t time = window.times[n];
      value[time] = sum;
      const double scale = size * window.decay[n];
      error[time] = kRoundingFactor * kEpsilon * size + kTruncationFactor * last +
                    kDiscretisationFactor * discretisation_error(two, three, scale);
    }
  }
}

void SharedContour::add_gradient(std::span<const double> by_value,
                                 std::span<const std::complex<double>> transform_gradient, std::span<double> gradient,
                                 std::span<double> scratch) const {
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
      const double real = sum[window.real_place[k]], imaginary = sum[window.imaginary_place[k]];
      const std::complex<double>* const slope = transform_gradient.data() + (window.node_begin + k) * num_rates;
      for (std::size_t p = 0; p < num_rates; ++p) gradient[p] += real * slope[p].real() + imaginary * slope[p].imag();
    }
  }
}

void SharedContour::add_gradient(std::size_t time, double by_value,
                                 std::span<const std::complex<double>> transform_gradient,
                                 std::span<double> gradient) const {
  const std::size_t num_rates = gradient.size();
  const Window& window = windows_[place_[time].first];
  const double* const weights = window.weights.data() + place_[time].second * 2 * window.num_nodes;
  for (std::size_t k = 0; k < window.num_nodes; ++k) {
    const double real = by_value * weights[window.real_place[k]];
    const double imaginary = by_value * weights[window.imaginary_place[k]];
    const std::complex<double>* const slope = transform_gradient.data() + (window.node_begin + k) * num_rates;
    for (std::size_t p = 0; p < num_rates; ++p) gradient[p] += real * slope[p].real() + imaginary * slope[p].imag();
  }
}

}  // namespace sojourn
