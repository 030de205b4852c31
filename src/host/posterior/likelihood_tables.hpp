#pragma once

#include <string>
#include <vector>

#include "common/step_view.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/law_cost.hpp"
#include "posterior/compression.hpp"
#include "posterior/likelihood.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// One level of one data set under one model as flat arrays: what a device evaluates the log likelihood from. Fixed
/// with the data; the contour is the one that `LawPlan` makes for the same points.
struct LikelihoodTables {
  /// What keeps this likelihood from being evaluated by lanes, in words with the way out; empty where nothing does.
  static std::string why_not(const StateGraph& graph, std::span<const double> reward, const Likelihood& likelihood,
                             const EvaluatorOptions& options);

  /// Whether the shared contour can hold for some particle; where it cannot all of them go by uniformization. Requires
  /// that `why_not` is empty.
  static bool contour_may_hold(const StateGraph& graph, std::span<const double> reward,
                               const EvaluatorOptions& options);

  /// `compressed`: null at the exact level. Requires that `why_not` is empty.
  LikelihoodTables(const StateGraph& graph, const Prc& prc, std::span<const double> reward,
                   const Likelihood& likelihood, const CompressedLikelihood* compressed,
                   const EvaluatorOptions& options);

  /// Pointers into this object.
  [[nodiscard]] LikelihoodView view() const;
  /// Real multiply-adds of one particle, as `RouteCounts` has them; 0 without a contour. What a device factors again,
  /// for lack of memory, is not counted twice.
  [[nodiscard]] double multiply_adds(const LawCost& cost, bool gradient) const;
  /// Calls `place(pointer of the view, array)` for every array, for copies elsewhere.
  template <class Place>
  void each_array(LikelihoodView& view, Place&& place) const {
    place(view.reward, reward);
    place(view.nodes, nodes);
    place(view.check_nodes, check_nodes);
    place(view.window_of_node, window_of_node);
    place(view.window_of_check, window_of_check);
    place(view.windows, windows);
    place(view.window_times, window_times);
    place(view.times, times);
    place(view.weights, weights);
    place(view.sizes, sizes);
    place(view.check_sizes, check_sizes);
    place(view.intervals, intervals);
    place(view.pieces, pieces);
    place(view.offsets, offsets);
    place(view.tail, tail);
    place(view.cycles, cycles);
    place(view.pairs, pairs);
    place(view.edges, edges);
    place(view.edge_terms, edge_terms);
    place(view.cycle_rows, cycle_rows);
  }

  LikelihoodView numbers{};  ///< the view without its pointers
  TransformLaneShape shape;  ///< without gradient
  bool by_contour = false;   ///< the shared contour may hold; without it all particles go by uniformization
  bool by_steps = false;     ///< uniformization is allowed
  bool counts = false;       ///< discrete time: all particles go by steps, of the chain itself
  double atom = 0;           ///< P(Y = 0)
  double most_terms = 0;     ///< `EvaluatorOptions::max_terms`
  std::vector<double> reward, weights, sizes, check_sizes, offsets, tail;
  std::vector<LaneComplex> nodes, check_nodes;
  std::vector<std::int32_t> window_of_node, window_of_check, window_times, cycle_rows;
  std::vector<LaneWindow> windows;
  std::vector<LaneTime> times;
  /// [times] in discrete time: the density asked for is the mass of all counts from here to the time's. An interval is
  /// such a time of its own, so that nothing is subtracted for it.
  std::vector<double> first_count;
  /// In discrete time, of each row: the terms of the weights of all its edges.
  std::vector<StepExit> exits;
  std::vector<PrcFormTerm> exit_terms;
  std::vector<LaneInterval> intervals;
  std::vector<LanePiece> pieces;
  std::vector<LaneCycle> cycles;
  std::vector<LanePair> pairs;
  std::vector<LaneEdge> edges;
  std::vector<LaneEdgeTerm> edge_terms;

 private:
  void add_counts(const Likelihood& likelihood);
  void add_exits(const StateGraph& graph, const PrcArrays& arrays);
  /// `time_of` [points]: the place of each point among the times, or -1.
  void add_contour(std::span<const double> values, double rtol);
  void add_data(const Likelihood& likelihood, const CompressedLikelihood* compressed,
                std::span<const std::int32_t> time_of);
  void add_cycles(const StateGraph& graph, const PrcArrays& arrays, std::span<const double> reward_by_state);
};

}  // namespace sojourn
