#pragma once

#include <cstdint>
#include <vector>

#include "common/level_view.hpp"
#include "elimination/prc_arrays.hpp"

namespace sojourn {

/// What a schedule is made for.
struct LevelOptions {
  std::int32_t num_streams = 8;
  /// Slots of factors that may be alive together; a component that is larger is alone.
  std::int64_t factor_slots = 0;
  std::int32_t num_partials = 1;  ///< of the gradient's sums
  bool operator==(const LevelOptions&) const = default;
};

/// Times in multiply-adds of one stream, for dealing out and for predictions.
struct LevelCosts {
  static constexpr double kTask = 4;     ///< a task's own overhead
  static constexpr double kBarrier = 6;  ///< a step's end
};

/// Owner of a level schedule's arrays; `LevelView` documents them.
struct LevelSchedule {
  LevelOptions options;
  std::vector<LevelWave> waves;
  std::vector<std::int32_t> factor_run, solve_run, visit_run;
  std::vector<LevelFactor> factors;
  std::vector<LevelRow> solves, visits;
  std::vector<std::int64_t> local_begin;
  std::vector<std::int64_t> column_begin, column_middle;
  std::vector<LevelEntry> column_entries;
  std::vector<std::int32_t> starts;
  std::vector<LevelRow> sum_rows;
  std::vector<std::int32_t> sum_run;

  /// Slots of a lane: factors of the largest wave, and solutions where only the start's value is wanted, with
  /// `value_slot` [rows] in the place of the program's own, which are used again within a wave.
  std::int64_t num_factor_slots = 0;
  std::int32_t num_value_slots = 0;
  std::vector<std::int32_t> value_slot;

  /// Predicted: the longest runs of all steps and their barriers, in multiply-adds of a stream.
  double factor_cost = 0, solve_cost = 0, visit_cost = 0, sum_cost = 0;

  [[nodiscard]] LevelView view() const;
  /// Calls visit(pointer of `view`, array).
  template <class Visit>
  void each_array(LevelView& view, Visit&& visit) const {
    visit(view.waves, waves);
    visit(view.factor_run, factor_run);
    visit(view.solve_run, solve_run);
    visit(view.visit_run, visit_run);
    visit(view.factors, factors);
    visit(view.solves, solves);
    visit(view.visits, visits);
    visit(view.local_begin, local_begin);
    visit(view.column_begin, column_begin);
    visit(view.column_middle, column_middle);
    visit(view.column_entries, column_entries);
    visit(view.starts, starts);
    visit(view.sum_rows, sum_rows);
    visit(view.sum_run, sum_run);
  }
};

/// Partial sums of a gradient: so many streams can add to them at a time. Small programs do without the slots they
/// take.
std::int32_t gradient_partials(const PrcArrays& arrays);

/// The program with its components by levels, those that lead nowhere else first, and value slots for replays by one
/// thread in that order. Sums over components are then added in the same order whatever the schedule.
PrcArrays by_level(PrcArrays arrays);

/// Deals the rows of a program without fronts out to streams. Components are taken in the program's order, as many
/// at a time as `factor_slots` allows. Cost: a few times the program's entries and pairs.
LevelSchedule make_level_schedule(const PrcArrays& arrays, const LevelOptions& options);

/// The program with the value slots of the schedule.
PrcArrays with_value_slots(PrcArrays arrays, const LevelSchedule& schedule);

}  // namespace sojourn
