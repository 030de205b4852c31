#pragma once

#include <cmath>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "common/prc_differences.hpp"
#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// Which differences the components of a PRC program keep (`PrcDifferences`). Components of one row have none. Cost:
/// about a step for every pair, and 8 bytes; pairs are as many as upper factors where the links go both ways.
class DifferenceProgram {
 public:
  explicit DifferenceProgram(const PrcArrays& prc);

  [[nodiscard]] PrcDifferences view() const {
    return {row_begin_.data(), column_.data(), onward_.data(), term_.data()};
  }
  /// Pairs, and rows, of the component that has most.
  [[nodiscard]] std::size_t most_pairs() const { return most_pairs_; }
  [[nodiscard]] std::size_t most_rows() const { return most_rows_; }

 private:
  void add_component(const PrcArrays& prc, const PrcComponent& component);

  std::vector<std::int64_t> row_begin_;
  std::vector<std::int32_t> column_, onward_, term_;
  std::size_t most_pairs_ = 0, most_rows_ = 0;
};

/// A program made where it is first asked for, by any thread: what never takes a gradient need not have it.
class LazyDifferenceProgram {
 public:
  /// `prc` outlives this.
  explicit LazyDifferenceProgram(const PrcArrays& prc) : prc_(prc) {}
  [[nodiscard]] const DifferenceProgram& get() const {
    std::call_once(made_, [this] { program_.emplace(prc_); });
    return *program_;
  }

 private:
  const PrcArrays& prc_;
  mutable std::once_flag made_;
  mutable std::optional<DifferenceProgram> program_;
};

/// Rows on the longest way up an elimination tree, from each row to the first later one that it leads to. Cost: a step
/// a row.
std::int32_t elimination_depth(const PrcArrays& prc);

/// Relative error that the rounding of a gradient may leave at most; a digit below what is promised.
inline constexpr double kGradientTolerance = 1e-9;
/// A derivative whose error, times its rate, is no more than this part of the value is not looked at closer:
/// derivatives that are zero by symmetry have no relative accuracy.
inline constexpr double kNegligibleElasticity = 1e-10;

/// Tells gradients that kept their digits from those that may not have.
class GradientJudge {
 public:
  /// Every level of components and every step up an elimination tree adds a few roundings to x and y, none of which
  /// cancel. The proven bound of GTH elimination is cubic in the size of a component (O'Cinneide 1993), but its
  /// roundings average out; tests hold what occurs at a quarter of this over random chains of all shapes.
  GradientJudge(const PrcArrays& prc, int order)
      : share_(0x1p-53 * 2.0 * (order + 1) * static_cast<double>(8 + prc.cost.num_levels + elimination_depth(prc))) {}

  /// Bound on the error of a gradient as a share of its size.
  [[nodiscard]] double share() const { return share_; }
  /// Whether a derivative by `rate` that was formed from terms of total `size` kept digits enough.
  [[nodiscard]] bool is_sure(double size, double derivative, double rate, double value) const {
    const double bound = share_ * size;
    // Written so that what is not a number is in doubt.
    return bound <= kGradientTolerance * std::abs(derivative) ||
           bound * rate <= kNegligibleElasticity * std::abs(value);
  }

 private:
  double share_;
};

}  // namespace sojourn
