#pragma once

#include <cstdint>
#include <vector>

#include "common/prc_view.hpp"
#include "elimination/symbolic_factor.hpp"

namespace sojourn {

/// The fronts of a pattern's factor, and their slots: lower rows and targets of each front one after the other.
struct FrontPlan {
  std::vector<PrcFront> fronts;  ///< `lower_begin`, `target_begin` count from this pattern's first slot
  std::int64_t num_slots = 0;
  [[nodiscard]] bool empty() const { return fronts.empty(); }
};

/// Whether fronts are expected to be quicker than pairs: multiply-adds, entries, and targets of the fronts.
bool fronts_pay(std::int64_t num_pairs, std::int64_t num_entries, std::int64_t num_targets);

/// The fronts of a factor, or none where they do not pay (decision 0013). Adjacent rows share a
/// front where they keep the same columns after themselves and the same rows below need them. The factor must be exact.
/// Cost: O(entries).
FrontPlan plan_fronts(const SymbolicFactor& factor);

/// Writes the slots of a plan, [num_slots]. Cost: O(slots log).
void write_front_slots(const SymbolicFactor& factor, const FrontPlan& plan, std::vector<std::uint32_t>& slots);

}  // namespace sojourn
