#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "evaluation/instruction_set.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// What a law is asked for at one point.
struct LawPoint {
  double value = 0;       ///< time (or gathered reward), or a count in discrete time; finite, >= 0
  bool density = false;   ///< log pdf, or log pmf in discrete time
  bool survival = false;  ///< log P(Y > value)
  bool cdf = false;       ///< log P(Y <= value)
};

/// Log values of a law at N points for one particle. -inf where a value is zero. Entries not asked for are NaN.
struct LawValues {
  std::vector<double> log_density, log_survival, log_cdf;  ///< [N]
  /// d log value / d phi, [N, num_rates]; filled when asked; 0 where the value is zero.
  std::vector<double> density_gradient, survival_gradient, cdf_gradient;
  std::vector<double> error_bound;  ///< [N] relative error of the worst value at the point

  /// Nothing known yet at `num_points` points: values NaN, gradients (of `num_rates` rates, 0 for none) and bounds 0.
  void reset(std::size_t num_points, std::size_t num_rates) {
    for (std::vector<double>* values : {&log_density, &log_survival, &log_cdf})
      values->assign(num_points, std::numeric_limits<double>::quiet_NaN());
    for (std::vector<double>* slopes : {&density_gradient, &survival_gradient, &cdf_gradient})
      slopes->assign(num_points * num_rates, 0);
    error_bound.assign(num_points, 0);
  }
};

/// A numeric chain at one phi in which every transient state earns at unit rate: rewards are divided out and
/// zero-reward states eliminated (GTH). Rows are sorted; edges carry d weight / d phi.
struct NumericChain {
  TimeKind time_kind = TimeKind::kContinuous;
  std::int32_t num_states = 0;  ///< transient states left
  std::int32_t num_rates = 0;
  std::vector<std::int64_t> row_begin;
  std::vector<std::int32_t> column;
  std::vector<double> weight;
  std::vector<double> weight_gradient;  ///< [edges, num_rates]
  std::vector<double> exit;             ///< [num_states] rate (probability) into absorption
  std::vector<double> exit_gradient;    ///< [num_states, num_rates]
  std::vector<double>
      stay;  ///< [num_states] weight of return to the same state (after elimination of zero-reward states)
  std::vector<double> stay_gradient;
  std::vector<double> alpha;           ///< [num_states]
  std::vector<double> alpha_gradient;  ///< [num_states, num_rates]
  double atom = 0;                     ///< P(Y = 0)
  std::vector<double> atom_gradient;   ///< [num_rates]
  std::vector<std::int32_t> state;     ///< [num_states] index in the graph
};

/// Evaluates the graph at phi. `gradient` false leaves the gradient arrays empty.
/// In continuous time any reward >= 0 is allowed; in discrete time rewards must be 0 or 1 (else ModelError).
/// @throws NumericalError naming edge and rates for a negative weight, and for a zero-reward state that is never left.
NumericChain numeric_chain(const StateGraph& graph, std::span<const double> phi, std::span<const double> reward,
                           bool gradient);

/// Uniformization: Poisson weights with free exponents times the scalars of alpha P^n. Every term is positive, so
/// values keep their relative accuracy on any chain; a second run with an exponent per entry serves the points where
/// double's range shows (log values far below -700). The uniformization rate is the largest exit rate, a constant in
/// the derivatives. Gradients by forward sensitivities. Cost: steps * edges * (1 + gradient * num_rates), steps being
/// about rate * t, fewer when all mass is absorbed before. The series is cut at 2^-57 whatever `rtol`; `rtol` decides
/// when a point is run again. The bound returned covers cut-off, dropped entries and rounding.
/// @throws NumericalError when the predicted steps * (edges + 2 states) exceed `max_terms`; UsageError for a bad point.
/// Source: Jensen (1953); weights by Loader (2000); bounds as in Fox and Glynn (1988).
void uniformization(const NumericChain& chain, std::span<const LawPoint> points, double rtol, std::int64_t max_terms,
                    bool gradient, LawValues& values);

/// Predicted multiply-adds of `uniformization`.
double uniformization_cost(const NumericChain& chain, std::span<const LawPoint> points, double rtol, bool gradient);

/// Discrete laws by stepping to the largest count asked for; the mass at 0 is the atom. Errors and scaling as above.
void stepping(const NumericChain& chain, std::span<const LawPoint> points, std::int64_t max_terms, bool gradient,
              LawValues& values);

/// P(state at t) for every state of the graph, absorbing ones included (each with its own mass); [num_states], with
/// gradient [num_states, num_rates] when not empty. Continuous (uniformization) and discrete (t whole). The sum is
/// 1 - defect. Relative accuracy where a probability is above 1e-290.
void state_probability(const StateGraph& graph, std::span<const double> phi, double t, double rtol,
                       std::int64_t max_terms, std::span<double> probability, std::span<double> gradient);

/// The same compiled for one instruction set.
template <InstructionSet>
void uniformization_on(const NumericChain& chain, std::span<const LawPoint> points, double rtol, std::int64_t max_terms,
                       bool gradient, LawValues& values);
template <InstructionSet>
void stepping_on(const NumericChain& chain, std::span<const LawPoint> points, std::int64_t max_terms, bool gradient,
                 LawValues& values);
template <InstructionSet>
void state_probability_on(const StateGraph& graph, std::span<const double> phi, double t, double rtol,
                          std::int64_t max_terms, std::span<double> probability, std::span<double> gradient);

}  // namespace sojourn
