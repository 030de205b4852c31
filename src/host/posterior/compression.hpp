#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "posterior/law_support.hpp"
#include "posterior/likelihood.hpp"

namespace sojourn {

/// How the range of the data is cut and sampled.
struct CompressionShape {
  bool shifted = false;  ///< interpolate in log(t + c) with c below the bulk, else in log t
  double widest = 0;     ///< largest width of a piece in that variable
  int num_nodes = 0;     ///< Chebyshev nodes of a piece
};

/// From cheap to fine. The first serve laws of one scale, the last laws whose scales lie far apart: two exponentials of
/// rates 1 : 10^4 bend within 0.3 of log t.
inline constexpr std::array<CompressionShape, 3> kCompressionShapes = {
    {{true, 2.4, 28}, {true, 1.2, 28}, {false, 0.5, 28}}};

/// A likelihood whose linear terms read the law at Chebyshev nodes instead of at every observation.
///
/// g(t) = log f(t) - (k - 1) log t, log S(t) or log F(t) - k log t, f ~ t^(k-1) near zero, is smooth in
/// x = log(t + c). On each piece of the data's range it is replaced by its interpolant at N Chebyshev nodes t_m, so
/// that
///   sum_i w_i g(t_i) = sum_m W_m g(t_m),   W_m = sum_i w_i l_m(x(t_i)),
/// with weights that do not depend on the law, and a constant from the powers of t. Its derivatives are those of the
/// right-hand side. Pieces with no more observations than nodes keep them, and so do intervals, observations at zero
/// and everything in discrete time. Source of the weights: Trefethen (2013), Approximation Theory and Approximation
/// Practice, chapters 3 and 4.
class CompressedLikelihood {
 public:
  /// Nodes of one law in one piece.
  struct Piece {
    int law;                        ///< 0 density, 1 survival, 2 cdf
    std::int32_t first, last;       ///< exact points replaced: those of this law in [first, last)
    std::size_t node_begin, count;  ///< places in the points of `likelihood_`
    double weight;                  ///< sum of |w_i|
    std::vector<double> offset;     ///< [count] what g subtracts from the log value
  };

  /// None where the points would not be at least halved. Cost: O(points * num_nodes).
  static std::optional<CompressedLikelihood> make(const Likelihood& exact, const LawSupport& support,
                                                  TimeKind time_kind, const CompressionShape& shape);

  /// The compressed function, on its own points.
  [[nodiscard]] const Likelihood& likelihood() const { return likelihood_; }
  /// Estimate, from above, of |compressed - exact| at a law with these log values [points of `likelihood()`]: what the
  /// last Chebyshev coefficients of g in each piece say, times the piece's weight. Infinite where a node's value is not
  /// finite. Cost: O(nodes).
  [[nodiscard]] double error_estimate(std::span<const double> log_density, std::span<const double> log_survival,
                                      std::span<const double> log_cdf) const;
  /// Log values at the exact likelihood's points [3][points], as far as zero is concerned: those kept as they are, the
  /// others 0, or -inf where the piece's nodes have zero probability (a law has mass everywhere after zero or nowhere).
  [[nodiscard]] std::array<std::vector<double>, 3> where_zero(std::span<const double> log_density,
                                                              std::span<const double> log_survival,
                                                              std::span<const double> log_cdf) const;
  /// Sum of the absolute weights of all linear terms, compressed or not.
  [[nodiscard]] double total_weight() const { return total_weight_; }
  [[nodiscard]] std::size_t num_nodes() const { return num_nodes_; }
  [[nodiscard]] std::span<const Piece> pieces() const { return pieces_; }
  /// [kNumTailCoefficients, nodes of a piece]: from values to the last Chebyshev coefficients.
  [[nodiscard]] std::span<const double> tail() const { return tail_; }

 private:
  explicit CompressedLikelihood(Likelihood likelihood) : likelihood_(std::move(likelihood)) {}

  Likelihood likelihood_;
  std::vector<Piece> pieces_;
  std::vector<std::int32_t> kept_;  ///< per exact point: its place among the points of `likelihood_`, or -1
  std::vector<double> tail_;
  double total_weight_ = 0;
  std::size_t num_nodes_ = 0;
};

}  // namespace sojourn
