#pragma once

#include <cstdint>
#include <vector>

#include "elimination/component_factors.hpp"
#include "elimination/components.hpp"
#include "elimination/front_plan.hpp"
#include "sojourn/prc.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Numbers of a program that follow from the edges alone, counted in one pass.
struct EdgeCounts {
  std::int64_t num_rows = 0;  ///< transient states that the start reaches
  std::int64_t num_groups = 0, num_terms = 0, num_internal_terms = 0;
  std::int64_t num_arrival_groups = 0;  ///< exact up to 62 rates, an upper bound beyond
  std::int64_t num_value_slots = 0;     ///< solutions alive at once where only the start's is wanted
  [[nodiscard]] std::int64_t num_external_terms() const { return num_terms - num_internal_terms; }
};
EdgeCounts count_edges(const StateGraph& graph, const Components& components);

/// Fill of a pattern without finding it: exact where the pattern is symmetric, the ordering's upper bound where it is
/// not.
struct FillEstimate {
  bool is_symmetric = false;
  std::int64_t num_entries = 0, num_pairs = 0;
  std::int64_t num_fronts = 0, num_front_slots = 0;  ///< none where it goes by pairs, and where it is not symmetric
  std::int64_t num_differences = 0;                  ///< that a gradient keeps, as `count_both_ways` has them
  [[nodiscard]] bool by_fronts() const { return num_fronts > 0; }
  /// Bytes of its multiply-adds.
  [[nodiscard]] std::int64_t stored_bytes() const;
};
/// Cost: that of the order, and O(entries) steps in O(states) memory.
FillEstimate estimate_fill(const ComponentPattern& pattern);

/// Numbers of a program that follow from the fill of its components.
struct FillCounts {
  std::int64_t num_entries = 0, num_lower_entries = 0, num_pairs = 0;
  std::int64_t num_direct_entries = 0;  ///< those that an edge leads to
  std::int64_t stored_bytes = 0;        ///< pairs or fronts of patterns, which components share
  std::int64_t num_fronts = 0;          ///< of patterns
  std::int64_t num_front_pairs = 0;     ///< of components that go by fronts
  std::int64_t num_differences = 0;     ///< of all components
  std::int64_t largest_entries = 0, largest_rows = 0, largest_differences = 0;  ///< of one component
  void add_pattern(const FillEstimate& fill);
  void add_component(const ComponentPattern& pattern, const FillEstimate& fill, std::int64_t num_lower);
};

/// What the memory of a program's replays depends on.
struct ReplayCounts {
  std::int64_t num_rows = 0, num_groups = 0, num_terms = 0, num_value_slots = 0, num_differences = 0;
  std::int64_t largest_entries = 0, largest_rows = 0, largest_differences = 0;  ///< of one component
  bool by_fronts = false;                                                       ///< most multiply-adds belong to them
};
ReplayBytes replay_bytes(const ReplayCounts& counts, TimeKind time_kind);

/// Bytes of a pattern and of its fill.
std::int64_t pattern_bytes(const ComponentPattern& pattern, std::int64_t num_entries);

/// Bytes of the arrays and of the work on them from what was counted; `symbolic_bytes` of all patterns and their fill.
CostPrediction predict_bytes(const StateGraph& graph, const Components& components, const EdgeCounts& edges,
                             const FillCounts& fill, std::int64_t symbolic_bytes);

}  // namespace sojourn
