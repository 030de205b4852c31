#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sojourn/state_graph.hpp"

namespace sojourn {

struct PrcArrays;  // the flat arrays, src/host/elimination/prc_arrays.hpp

/// Memory that replays of a mean hold. One lane is one parameter vector in work.
struct ReplayBytes {
  std::int64_t value = 0;     ///< of a lane
  std::int64_t products = 0;  ///< of a lane with gradient; 0 in discrete time, where gradients are differences
  /// Of a lane with gradient where products may have lost digits: stiff chains, many visits, derivatives near zero.
  /// Products are over by then.
  std::int64_t differences = 0;
  std::int64_t difference_program = 0;  ///< once beside the lanes, where there are differences
  bool few_lanes = false;               ///< at a time: the program goes by fronts
  bool operator==(const ReplayBytes&) const = default;
};

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
  ReplayBytes replay;
};

/// What an elimination and the replays after it will take, known before either starts.
struct CostPrediction {
  std::int64_t num_transient = 0, num_components = 0, largest_component = 0;
  std::int64_t factor_multiply_adds = 0;
  std::int64_t solve_multiply_adds = 0;  ///< per right-hand side
  std::int64_t graph_bytes = 0;          ///< of the graph as it stands
  std::int64_t program_bytes = 0;        ///< of the arrays that elimination leaves, `PrcCost::bytes`
  std::int64_t elimination_bytes = 0;    ///< held at the height of elimination beside the graph, program included
  ReplayBytes replay;
  bool exact = true;  ///< false where fill was estimated: it would have taken too long, or too much, to find out
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
/// Cost: `Prc::cost()`; no recursion.
/// @param max_bytes  what it may hold beside the graph; 0: `memory_left()`.
/// @throws ModelError before the arrays are made where they and the work on them would exceed that.
Prc eliminate(const StateGraph& graph, std::int64_t max_bytes = 0);

/// What `eliminate` would take. Orders the components and finds their fill, but writes no program.
/// Cost: O(edges + multiply-adds) at most; fill beyond `max_bytes` (0: `memory_left()`) is estimated from the order.
CostPrediction predict_cost(const StateGraph& graph, std::int64_t max_bytes = 0);

}  // namespace sojourn
