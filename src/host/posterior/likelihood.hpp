#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/stepping.hpp"
#include "posterior/law_support.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

/// What one evaluation of the likelihood found beside its value.
struct LikelihoodReport {
  std::int64_t impossible_item = -1;  ///< first observation of zero probability, or -1
  std::int64_t unresolved_item = -1;  ///< first interval whose probability rounding swallowed, or -1
  double amplification = 1;           ///< largest factor by which an interval's difference magnifies relative errors
  std::int64_t amplified_item = -1;   ///< the interval it belongs to
};

/// The data set as a function of a law's log values at the distinct points the observations name.
///
///   exact        w log f(t);  at t = 0 of a law with an atom  w log P(Y = 0)
///   right        w log S(l)
///   left         w log F(u)
///   interval     w log(S(l) - S(u)) or w log(F(u) - F(l)), whichever subtracts from the smaller number;
///                a short interval of counts is the sum of its masses, which subtracts nothing
///   truncation   - w log S(entry)
///
/// All but intervals are linear in the log values, so they become one weight per point; sums are compensated and run in
/// a fixed order.
class Likelihood {
 public:
  struct Interval {
    std::int32_t lower, upper;  ///< point indices
    std::int64_t item;
    double weight;
    bool masses;  ///< the points after lower up to upper are all its counts
  };

  Likelihood(const Observations& observations, const LawSupport& support, TimeKind time_kind);

  /// Distinct values in increasing order, each with the laws it is asked for.
  [[nodiscard]] const std::vector<LawPoint>& points() const { return points_; }
  /// Bytes of its tables.
  [[nodiscard]] std::int64_t num_bytes() const {
    return static_cast<std::int64_t>((sizeof(LawPoint) + 3 * sizeof(double)) * points_.size() +
                                     sizeof(Interval) * intervals_.size() + sizeof(Term) * terms_.size());
  }
  /// What the linear terms weigh each point's log density, log survival and log cdf with, [points] each.
  [[nodiscard]] std::array<std::span<const double>, 3> weights() const {
    return {density_weight_, survival_weight_, cdf_weight_};
  }
  [[nodiscard]] std::span<const Interval> intervals() const { return intervals_; }
  /// What is added whatever the law.
  [[nodiscard]] double constant() const { return constant_; }
  /// Points that intervals read, [points].
  [[nodiscard]] std::vector<char> in_intervals() const;

  /// The same function from other points: linear terms with `weights` on `points` and a constant instead of its own,
  /// intervals read at `place` [own points], the new index of each point they use. It tells no observations apart.
  [[nodiscard]] Likelihood rewritten(std::vector<LawPoint> points, std::array<std::vector<double>, 3> weights,
                                     double constant, std::span<const std::int32_t> place) const;

  /// Log likelihood from log values [points]; writes its partial derivatives [points], all of them. -inf, with zero
  /// derivatives, where an observation is impossible; NaN where an interval cannot be resolved.
  /// Cost: O(points + intervals).
  double evaluate(std::span<const double> log_density, std::span<const double> log_survival,
                  std::span<const double> log_cdf, std::span<double> by_density, std::span<double> by_survival,
                  std::span<double> by_cdf, LikelihoodReport& report) const;

  /// possible[i] = 1 where observation i has positive probability at these log values; others are left as they are.
  void mark_possible(std::span<const double> log_density, std::span<const double> log_survival,
                     std::span<const double> log_cdf, std::span<char> possible) const;
  /// First observation of zero probability at these log values, or -1.
  [[nodiscard]] std::int64_t first_impossible(std::span<const double> log_density, std::span<const double> log_survival,
                                              std::span<const double> log_cdf) const;

 private:
  Likelihood() = default;
  /// Where an item's term is read: a point index per role, -1 where it has none.
  struct Term {
    std::int32_t density = -1, survival = -1, cdf = -1, interval = -1, entry = -1;
  };
  /// log of the summed masses of a short interval of counts.
  [[nodiscard]] static double log_mass(const Interval& interval, std::span<const double> log_density);
  [[nodiscard]] bool possible(const Term& term, std::span<const double> log_density,
                              std::span<const double> log_survival, std::span<const double> log_cdf) const;

  std::vector<LawPoint> points_;
  std::vector<double> density_weight_, survival_weight_, cdf_weight_;  ///< [points]
  double constant_ = 0;
  std::vector<Interval> intervals_;
  std::vector<Term> terms_;  ///< [items]
};

}  // namespace sojourn
