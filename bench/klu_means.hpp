#pragma once

#include <klu.h>

#include <span>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn::bench {

/// Moments by KLU, the peer: A x = r with A = -S(theta), mean = alpha x; A x_2 = 2 R x, second moment = alpha x_2.
///
/// The pattern is analysed once with KLU's defaults (block triangular form, AMD, row scaling by the largest entry) and
/// factored once with pivoting; every later theta re-factors on the same pivots, as a circuit simulator does.
class KluMeans {
 public:
  /// `reward` [num_states]; `phi` [num_rates] is where the pivots are chosen. `scale` is KLU's option: -1 none, 2 its
  /// default. @throws std::runtime_error where KLU fails.
  KluMeans(const StateGraph& graph, std::span<const double> reward, std::span<const double> phi, int scale);
  ~KluMeans();
  KluMeans(const KluMeans&) = delete;
  KluMeans& operator=(const KluMeans&) = delete;

  [[nodiscard]] std::size_t num_values() const { return row_.size(); }
  /// Entries of A at phi, [num_values()]. Cost: one multiply-add per term of a weight.
  void assemble(std::span<const double> phi, std::span<double> values) const;
  /// Re-factors at `values`, solves, and returns the mean. @throws std::runtime_error where KLU fails.
  double mean(std::span<double> values);
  /// The same with one more solve; returns the second moment, from which the variance is one subtraction away.
  double second_moment(std::span<double> values);

 private:
  void refactor(std::span<double> values);
  /// x = A^-1 x in place, then alpha x.
  double solve();

  struct Term {
    int rate;  ///< -1: the constant part
    double coefficient;
  };
  std::vector<int> column_begin_, row_;  ///< A by columns
  std::vector<int> term_begin_;
  std::vector<Term> terms_;  ///< per entry of A
  std::vector<double> reward_, alpha_, x_;
  klu_common common_{};
  klu_symbolic* symbolic_ = nullptr;
  klu_numeric* numeric_ = nullptr;
};

}  // namespace sojourn::bench
