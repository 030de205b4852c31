#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "common/contour_bound.hpp"
#include "evaluation/instruction_set.hpp"

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

/// Room for the growth of a transform towards clusters of up to about six poles; each factor e costs the rounding a
/// fraction of one. Without it many values in the tails stay uncertified, and each costs more than the nodes saved.
inline constexpr double kPoleMargin = 12;

/// The best shape for a number of nodes. `pole_margin` widens the way to the poles: the logarithm of an allowance for
/// how much the transform grows there. Cost: about a thousand trials.
ContourShape best_contour_shape(double ratio, std::int32_t num_nodes, double pole_margin = 0);

/// Inversion of many laws' transforms at a fixed set of times by hyperbolas that all laws share.
///
/// f(t) = Re sum_k E_k(t) F(s_k): the nodes s_k are fixed by the times alone. Valid where every pole of F is real and
/// negative (or near enough: |Im| t much below 1). Times are cut into windows of at most 50-fold, each with its nodes.
///
/// A law may tilt each window: with c below F's lowest decay rate, exp(c t) f(t) has the transform F(s - c), whose
/// poles are still negative. The weights stay, the nodes move by -c, and a c near the saddlepoint at a time of the
/// window makes what is inverted flat around it, so that a tail keeps its relative accuracy.
///
/// The trapezoid rule converges like exp(-2 pi d / h), d the distance at which the hyperbola, turned towards the
/// negative axis, meets the poles. How much F grows on the way there decides whether that is small: a cluster of m
/// poles grows like distance^-m. So every window also has check nodes three quarters of the way, where F's size is
/// looked at.
class SharedContour {
 public:
  /// Times that share nodes, numbered as the caller's, and what multiplies a transform at the nodes.
  struct Window {
    std::size_t node_begin = 0, num_nodes = 0;
    std::size_t check_begin = 0, num_checks = 0;
    double reference_time = 0;
    double height = 0;
    std::vector<std::size_t> times;            ///< indices into the caller's times
    std::vector<contour_bound::Place> places;  ///< per time
    std::vector<double> weights;               ///< per time [2 num_nodes]: Re E, then -Im E
    std::vector<double> sizes;                 ///< per time [num_nodes]: |E|
    std::vector<double> check_sizes;           ///< per time [num_checks]: the same on the turned hyperbola
  };

  SharedContour() = default;
  /// `times` [N], finite and > 0, in any order. The number of nodes follows from `rtol`.
  SharedContour(std::span<const double> times, double rtol);
  /// One window of a given shape, made for the ratio of the largest to the smallest time or more; quick to set up, its
  /// weights only rounded as well as double allows.
  SharedContour(std::span<const double> times, const ContourShape& shape);

  /// All nodes, window after window.
  [[nodiscard]] std::span<const std::complex<double>> nodes() const { return nodes_; }
  /// Where `invert` wants the transform's value besides.
  [[nodiscard]] std::span<const std::complex<double>> check_nodes() const { return check_nodes_; }
  [[nodiscard]] std::size_t num_times() const { return num_times_; }
  [[nodiscard]] std::span<const Window> windows() const { return windows_; }
  [[nodiscard]] std::size_t num_windows() const { return windows_.size(); }
  [[nodiscard]] std::size_t window_of(std::size_t time) const { return place_[time].first; }
  /// The time around which a tilted law should be flat.
  [[nodiscard]] double reference_time(std::size_t window) const { return windows_[window].reference_time; }
  /// Largest imaginary part among the nodes of a window and of every hyperbola its error bound speaks of.
  [[nodiscard]] double height(std::size_t window) const { return windows_[window].height; }
  /// Nodes and check nodes for tilts [num_windows].
  void tilt_nodes(std::span<const double> tilts, std::span<std::complex<double>> nodes,
                  std::span<std::complex<double>> check_nodes) const;
  /// Bytes of its tables; almost all are the windows' weights.
  [[nodiscard]] std::int64_t num_bytes() const;
  /// Multiply-adds of `invert`; and of `add_gradient` for all times that count, and so many rates.
  [[nodiscard]] double multiply_adds_to_invert() const;
  [[nodiscard]] double multiply_adds_of_gradient(std::span<const double> by_value, std::size_t num_rates) const;
  /// Doubles of scratch that the members below need.
  [[nodiscard]] std::size_t scratch_size() const { return 4 * nodes_.size(); }

  /// Values and bounds on their absolute errors, [N] each, of exp(c t) f(t), from the transform at the tilted nodes and
  /// check nodes.
  ///
  /// `transform_roundings` is the relative error of the transform's values in units of epsilon.
  /// The bound adds rounding (epsilon times the sum of the terms' sizes), truncation (the last terms) and the error of
  /// the trapezoid rule on either side. Towards the poles the best shift of the contour gives
  /// exp(-X) (e X / m)^m, X = 2 pi d / h, where F grows like distance^-m; m is taken from the check nodes.
  void invert(std::span<const std::complex<double>> transform, std::span<const std::complex<double>> check,
              std::span<const double> tilts, double transform_roundings, std::span<double> value,
              std::span<double> error, std::span<double> scratch) const;

  /// gradient[p] += sum_n by_value[n] * d exp(c t_n) f(t_n) / d phi_p at fixed c, from the transform's gradient at the
  /// nodes, [num_nodes, num_rates]. Times of weight 0 cost nothing; the others 2 num_nodes multiply-adds each.
  void add_gradient(std::span<const double> by_value, std::span<const std::complex<double>> transform_gradient,
                    std::span<double> gradient, std::span<double> scratch) const;

  /// gradient[p] += by_value * d f(t) / d phi_p for one time.
  void add_gradient(std::size_t time, double by_value, std::span<const std::complex<double>> transform_gradient,
                    std::span<double> gradient) const;

 private:
  // The same compiled for one instruction set.
  template <InstructionSet>
  void invert_on(std::span<const std::complex<double>> transform, std::span<const std::complex<double>> check,
                 std::span<const double> tilts, double transform_roundings, std::span<double> value,
                 std::span<double> error, std::span<double> scratch) const;
  template <InstructionSet>
  void add_gradient_on(std::span<const double> by_value, std::span<const std::complex<double>> transform_gradient,
                       std::span<double> gradient, std::span<double> scratch) const;
  template <InstructionSet>
  void add_gradient_on(std::size_t time, double by_value, std::span<const std::complex<double>> transform_gradient,
                       std::span<double> gradient) const;

  template <class Real>
  Window make_window(const ContourShape& shape, std::vector<std::size_t> group, std::span<const double> times,
                     std::size_t position);

  std::size_t num_times_ = 0;
  std::vector<Window> windows_;
  std::vector<std::complex<double>> nodes_, check_nodes_;
  std::vector<std::pair<std::size_t, std::size_t>> place_;  ///< per time: window, position in it
};

}  // namespace sojourn
