#pragma once

#include <cstdint>

/// A program's rows dealt out to the streams of a block, step by step: `LevelSchedule` makes it, `MomentLevels` and
/// `TransformLevels` run it. A stream is a row of a block's threads, one for each of its lanes; all of them work on the
/// same lanes. A step ends with a barrier. A task reads what tasks of earlier steps wrote, or earlier tasks of its own
/// run: a chain costs no barrier a link.
namespace sojourn {

/// Part of a component's factors: sums [sum_begin, sum_end) of `row`, whose pairs begin at `pair_begin`, and the row's
/// pivot where `finishes`. `row` -1: the direct weights [sum_begin, sum_end), those from `more_begin` of the component
/// on being added to what is there.
struct LevelFactor {
  std::int64_t sum_begin, sum_end, pair_begin;
  std::int32_t component, row;
  std::int32_t finishes;
};

/// A row of a solve: the first half of its work, or the second one (`second`), after the rows that follow in its
/// component. A component of one row has first halves alone, which do everything.
struct LevelRow {
  std::int32_t component, row;
  std::int32_t second;
};

/// Entry (`row`, column) of a component, listed by columns.
struct alignas(8) LevelEntry {
  std::uint32_t slot;  ///< inside the component
  std::int32_t row;
};

/// Components whose factors are alive together. Steps count in the schedule of their kind.
struct LevelWave {
  std::int32_t component_begin, component_end;
  std::int32_t factor_begin, factor_end;
  std::int32_t solve_begin, solve_end;
  std::int32_t visit_begin, visit_end;
  std::int32_t start_begin, start_end;
};

struct LevelView {
  std::int32_t num_streams, num_waves;
  std::int32_t num_partials;  ///< of the gradient's sums
  const LevelWave* waves;
  /// Run r = step * num_streams + stream of a schedule has the tasks [run[r], run[r + 1]).
  const std::int32_t* factor_run;
  const std::int32_t* solve_run;
  const std::int32_t* visit_run;
  const LevelFactor* factors;
  const LevelRow* solves;
  const LevelRow* visits;
  /// [components] first of a component's slots among its wave's: entries, exits, inverse pivots; for a component of
  /// one row the inverse pivot alone.
  const std::int64_t* local_begin;
  /// Column v has entries [column_begin[v], column_middle[v]) of rows before v, ascending, and up to column_begin[v +
  /// 1] of rows after it, descending: the orders in which a transposed solve adds them.
  const std::int64_t* column_begin;
  const std::int64_t* column_middle;
  const LevelEntry* column_entries;
  const std::int32_t* starts;  ///< rows with a start probability, in the order of components
  /// Rows of the gradient's sums: [sum_run[w * num_partials + p], ...) are those of wave w in partial sum p.
  const LevelRow* sum_rows;
  const std::int32_t* sum_run;
};

}  // namespace sojourn
