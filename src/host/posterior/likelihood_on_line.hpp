#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/line_series.hpp"

namespace sojourn {

/// A log-likelihood and its derivative at a place on the unconstrained line.
struct LinePoint {
  double value = 0, slope = 0;
};

/// The log-likelihood as a function of the only free parameter: piecewise polynomials through exact values, made where
/// they are first asked for.
///
/// The line is cut into cells of equal width. In a cell, value and derivative are each interpolated at `kNumNodes`
/// Chebyshev nodes; the last coefficients of either estimate what the rest would add, and a cell whose estimate is
/// too large is halved, `kMaxHalvings` times at most. What then is still rough, or cannot be evaluated, gets no answer.
/// The answer at a place depends on the place alone, never on what was asked before, so results do not change with
/// threads, ranks or a restart. Source: Trefethen (2013), Approximation Theory and Approximation Practice, chapter 3.
class LikelihoodOnLine {
 public:
  static constexpr int kNumNodes = line_series::kNumNodes;
  static constexpr int kMaxHalvings = line_series::kMostHalvings;

  /// What an exact evaluation found at a node.
  struct Sample {
    double value = 0, slope = 0;
    double error = 0;  ///< relative error that the value has already
    bool ok = false;
  };
  /// Fills samples [M] for places [M].
  using Evaluate = std::function<void(std::span<const double> z, std::span<Sample> samples)>;

  /// Estimated errors stay below `rtol` times max(|value|, `least_scale`), for the derivative times the largest
  /// |derivative| of the cell if that is more; `width` > 0 is that of a whole cell.
  LikelihoodOnLine(double width, double rtol, double least_scale);

  /// Makes the cells that `z` [M] (finite) needs; afterwards `at` can be asked anywhere there.
  /// Cost: kNumNodes evaluations a new cell, and as many again for each half.
  void prepare(std::span<const double> z, const Evaluate& evaluate);
  /// Nothing where the line is too rough for polynomials. Cost: about 80 multiply-adds.
  [[nodiscard]] std::optional<LinePoint> at(double z) const;

  /// The cells there are, in order; valid until others are made.
  [[nodiscard]] line_series::Table table() const {
    return {width_, static_cast<std::int64_t>(cells_.size()), cells_.data()};
  }

  [[nodiscard]] std::int64_t num_evaluations() const { return num_evaluations_; }
  /// Largest estimated relative error among the cells that answer, that of their nodes' values included.
  [[nodiscard]] double worst_error() const { return worst_error_; }

 private:
  using Key = std::pair<int, std::int64_t>;  ///< halvings, place
  using Cell = line_series::Cell;
  using State = line_series::State;
  [[nodiscard]] Cell make_cell(const Key& key, std::span<const Sample> samples);
  [[nodiscard]] double node(const Key& key, int index) const;

  double width_, rtol_, least_scale_, worst_error_ = 0;
  std::int64_t num_evaluations_ = 0;
  std::vector<Cell> cells_;  ///< in order
};

}  // namespace sojourn
