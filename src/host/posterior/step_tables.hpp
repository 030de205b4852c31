#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "common/step_view.hpp"
#include "elimination/prc_arrays.hpp"
#include "posterior/likelihood_tables.hpp"

namespace sojourn {

/// What uniformization on a device reads: edges by target, and for each uniformization rate in use the Poisson weights
/// of all times.
///
/// Rates are rungs of a ladder, four to an octave: (1 + k / 4) 2^e. A particle takes the first that is not below its
/// largest exit rate, so that its bits depend on nothing else, its steps are at most a quarter more than it needs, and
/// particles of one rung share their weights.
class StepTables {
 public:
  /// Poisson tail after the last step of a time. Values above 1e-80 or so lose nothing by it, smaller ones are refused
  /// where their bound says so; a mean of 10,000 takes a fifth more steps than a tail of 2^-53 would.
  static constexpr double kLog2Tail = -333;
  /// Multiply-adds of a particle without gradient above which the CPU takes it: a thread of a GPU takes seconds for so
  /// many.
  static constexpr double kMostWork = 0x1p26;
  static constexpr std::int32_t kTooLong = -1;
  /// The one rung of discrete time.
  static constexpr std::int32_t kCounts = 0;
  /// By how much the exits of a state may sum to more than 1, as the CPU allows.
  static constexpr double kRowTolerance = 1e-12;

  /// `tables` are of the same data; `arrays` in any order of components. Cost: a copy of the edges.
  StepTables(const PrcArrays& arrays, const LikelihoodTables& tables);

  /// The rung of a largest exit rate > 0 and finite: 4 e + k.
  static std::int32_t rung_code(double largest_rate);
  static double rung_rate(std::int32_t code);
  /// Largest exit rate over reward at extended rates [1 + num_rates + num_forms].
  [[nodiscard]] double largest_rate(std::span<const double> extended) const;

  /// The place of a rung among `rungs`, which is made where it is new; `kTooLong` where its steps would cost more than
  /// `kMostWork` or the evaluator's `max_terms`. Cost of a new one: its weights.
  std::int32_t find(std::int32_t code);
  /// Drops all rungs.
  void forget();
  /// Multiply-adds of a particle of this rate, without gradient.
  [[nodiscard]] double work(const StepRung& rung) const;

  /// Pointers into this object.
  [[nodiscard]] StepView view() const;
  /// Calls `place(pointer of the view, array)` for arrays that stay, or that `find` makes longer.
  template <class Place>
  void each_lasting_array(StepView& view, Place&& place) const {
    place(view.inverse_reward, inverse_reward);
    place(view.rows, rows);
    place(view.groups, groups);
    place(view.terms, terms);
    place(view.exits, exits);
    place(view.exit_terms, exit_terms);
    place(view.time_order, time_order);
  }
  template <class Place>
  void each_growing_array(StepView& view, Place&& place) const {
    place(view.rungs, rungs);
    place(view.windows, windows);
    place(view.weights, weights);
  }

  StepView numbers{};  ///< the view without its pointers
  std::vector<double> inverse_reward, weights;
  std::vector<StepRow> rows;
  std::vector<StepGroup> groups;
  std::vector<StepTerm> terms;
  std::vector<StepExit> exits;
  std::vector<PrcFormTerm> exit_terms;
  std::vector<std::int32_t> time_order;
  std::vector<StepRung> rungs;
  std::vector<StepWindow> windows;

 private:
  /// The window of a mean, without its place among the weights.
  static StepWindow window_of(double mean);
  std::int32_t find_counts();
  /// `least_first` of the windows from `begin` on.
  void note_least_first(std::int64_t begin);
  void add_weights(double mean, StepWindow& window);

  const PrcView prc_;                ///< of the arrays this was made of
  std::vector<double> times_;        ///< [num_times] by size
  std::vector<double> first_count_;  ///< of each, in discrete time
  double most_terms_;
  std::map<std::int32_t, std::int32_t> place_;  ///< of codes, kTooLong included
};

}  // namespace sojourn
