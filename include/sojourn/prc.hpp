#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sojourn/state_graph.hpp"

namespace sojourn {

struct PrcArrays;  // the flat arrays, src/host/elimination/prc_arrays.hpp

/// Predicted cost of one replay for one lane, known before any replay.
struct PrcCost {
  std::int64_t num_transient = 0;
  std::int64_t num_components = 0;
  std::int64_t largest_component = 0;
  std::int64_t num_levels = 0;  ///< levels of the condensation
  std::int64_t factor_multiply_adds = 0;
  std::int64_t solve_multiply_adds = 0;  ///< per right-hand side
  std::int64_t num_slots = 0;            ///< live doubles per lane for a value without gradient
  std::int64_t bytes = 0;                ///< of the arrays themselves
  bool acyclic = true;
};

/// PRC (parameterised reward compute): the eliminated, theta-independent form of a graph. Cheap to copy (shared).
class Prc {
 public:
  explicit Prc(std::shared_ptr<const PrcArrays> arrays) : arrays_(std::move(arrays)) {}
  [[nodiscard]] const PrcArrays& arrays() const { return *arrays_; }
  [[nodiscard]] const PrcCost& cost() const;
  [[nodiscard]] std::int32_t num_rates() const;

 private:
  std::shared_ptr<const PrcArrays> arrays_;
};

/// Eliminates a graph once: strongly connected components, minimum degree inside each, GTH pivots.
/// Cost: `Prc::cost()`; no recursion. @throws ModelError where the arrays would exceed `max_bytes`.
Prc eliminate(const StateGraph& graph, std::int64_t max_bytes = 16LL << 30);

}  // namespace sojourn
