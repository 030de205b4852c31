#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sojourn {

/// Shape of the hyperbola s(u) = mu (1 + sin(iu - alpha)) with nodes u = 0, h, ..., (num_nodes - 1) h and their
/// conjugates, for times in [T / ratio, T]; mu = vertex / T (Weideman, Trefethen 2007, section 4).
struct ContourShape {
  double alpha = 0;
  double step = 0;
  double vertex = 0;
  std::int32_t num_nodes = 0;
  double error = 0;  ///< predicted, relative to the largest value, rounding included
};

/// The best shape for a number of nodes. Cost: about a millisecond.
ContourShape best_contour_shape(double ratio, std::int32_t num_nodes);

/// Inversion of many laws' transforms at a fixed set of times by hyperbolas that all laws share.
///
/// f(t) = Re sum_k E_k(t) F(s_k): the nodes s_k are fixed by the times alone. Valid where every pole of F is real and
/// negative (or near enough: |Im| t much below 1). Times are cut into windows of at most 50-fold, each with its nodes.
class SharedContour {
 public:
  SharedContour() = default;
  /// `times` [N], finite and > 0, in any order. The number of nodes follows from `rtol`.
  SharedContour(std::span<const double> times, double rtol);

  /// All nodes, window after window; [num_nodes].
  [[nodiscard]] std::span<const std::complex<double>> nodes() const { return nodes_; }
  [[nodiscard]] std::size_t num_nodes() const { return nodes_.size(); }
  [[nodiscard]] std::size_t num_times() const { return num_times_; }
  [[nodiscard]] std::size_t num_windows() const { return windows_.size(); }
  /// Doubles of scratch that the members below need.
  [[nodiscard]] std::size_t scratch_size() const { return 3 * nodes_.size(); }

  /// Values and bounds on their absolute errors, [N] each, from the transform at the nodes.
  ///
  /// The bound adds rounding (epsilon times the sum of the terms' sizes), truncation (the last terms), and the
  /// trapezoid rule's own error. For the last one the rule of step 2h, got from every other node, is off by delta, and
  /// squaring the convergence factor squares the error: delta^2 over the terms' size without their exponential growth.
  void invert(std::span<const std::complex<double>> transform, std::span<double> value, std::span<double> error,
              std::span<double> scratch) const;

  /// gradient[p] += sum_n by_value[n] * d f(t_n) / d phi_p, from the transform's gradient at the nodes,
  /// [num_nodes, num_rates]. Times of weight 0 cost nothing; the others 2 num_nodes multiply-adds each.
  void add_gradient(std::span<const double> by_value, std::span<const std::complex<double>> transform_gradient,
                    std::span<double> gradient, std::span<double> scratch) const;

  /// gradient[p] += by_value * d f(t) / d phi_p for one time.
  void add_gradient(std::size_t time, double by_value, std::span<const std::complex<double>> transform_gradient,
                    std::span<double> gradient) const;

 private:
  struct Window {
    std::size_t node_begin = 0, num_nodes = 0;
    std::vector<std::size_t> times;  ///< indices into the caller's times
    /// Per time [2 num_nodes]: the nodes by their index modulo 6, first 0, then 2 and 4, then 3, then 1 and 5, so that
    /// the rules of two and three steps are sums of leading parts; in each part Re E, then -Im E.
    std::vector<double> weights;
    std::vector<std::size_t> index;                        ///< node index k of each position
    std::size_t part_begin[5] = {};                        ///< positions where the parts begin, and the end
    std::vector<std::size_t> real_place, imaginary_place;  ///< of each position in a row of `weights`
    std::vector<double> sizes;                             ///< per time |E_k|, [num_nodes]
    std::vector<double> decay;  ///< per time exp(-s_0 t): takes the growth at the vertex out of the terms' sizes
    std::size_t last[2] = {};   ///< positions of the two outermost nodes
  };
  std::size_t num_times_ = 0;
  std::vector<Window> windows_;
  std::vector<std::complex<double>> nodes_;
  std::vector<std::pair<std::size_t, std::size_t>> place_;  ///< per time: window, position in it
};

}  // namespace sojourn
