#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/prc_view.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {

/// Owner of the flat arrays; `view()` is what replays read. `PrcView` documents the fields.
struct PrcArrays {
  PrcCost cost;
  std::int32_t num_rates = 0;
  std::vector<PrcForm> forms;
  std::vector<PrcFormTerm> form_terms;
  std::vector<PrcComponent> components;
  std::vector<PrcRow> rows;
  std::vector<PrcGroup> groups;
  std::vector<PrcTerm> terms;
  std::vector<PrcGroup> arrivals;
  std::vector<PrcTerm> arrival_terms;
  std::vector<std::int32_t> entry_column;
  std::vector<std::int32_t> entry_slot;
  std::vector<PrcSum> sums;
  std::vector<PrcPair> pairs;
  std::vector<PrcFront> fronts;
  std::vector<std::uint32_t> front_slots;
  std::vector<std::int32_t> value_slot;
  std::vector<std::int32_t> state_of_row;
  std::vector<std::int32_t> row_of_state;  ///< [num_states]; -1 for absorbing and unreachable states
  std::vector<double> alpha;               ///< [rows] start probability
  std::int32_t num_value_slots = 0;

  std::int64_t num_front_multiply_adds = 0;  ///< of components with fronts

  [[nodiscard]] PrcView view() const;
  [[nodiscard]] PrcComponentBounds component_bounds() const;
  /// Values of the states, [num_states], in the order of the rows.
  [[nodiscard]] std::vector<double> by_row(std::span<const double> by_state) const;
  /// Whether most of a replay's multiply-adds belong to fronts.
  [[nodiscard]] bool goes_by_fronts() const {
    return 2 * num_front_multiply_adds > cost.factor_multiply_adds + cost.solve_multiply_adds;
  }
};

}  // namespace sojourn
