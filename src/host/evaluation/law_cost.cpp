#include "evaluation/law_cost.hpp"

#include <algorithm>
#include <cmath>

#include "elimination/prc_arrays.hpp"

namespace sojourn {
namespace {

/// Real multiply-adds in a complex one, and in one with a real factor.
constexpr double kComplex = 4, kRealByComplex = 2;
/// Indirect access makes a step's multiply-add dearer than a replay's, where lanes run side by side; measured with
/// gradients on coalescents of 10 to 479 states.
constexpr double kSteppingFactor = 12;
/// Building the numeric chain of one particle, in multiply-adds: a floor, and per edge and rate.
constexpr double kChainFloor = 5e4;
constexpr double kChainPerEdge = 20;
/// One Poisson weight: an exponential and its bookkeeping.
constexpr double kWeightCost = 20;
/// Nodes and real trial points of one saddlepoint contour, as measured over the tests.
constexpr double kSaddleNodes = 120;
constexpr double kSaddleTrials = 8;
/// Nodes and check nodes of a tilted contour; setting it up, and each of its values with 48 exponentials.
constexpr double kTiltedNodes = 48;
constexpr double kTiltedFloor = 2e4;
constexpr double kTiltedValue = 5e3;

}  // namespace

LawCost::LawCost(const StateGraph& graph, const Prc& prc, std::span<const double> reward)
    : graph_(&graph), inverse_reward_(graph.num_states()) {
  for (std::int32_t i = 0; i < graph.num_states(); ++i) {
    if (!graph.is_absorbing(i) && reward[i] > 0) inverse_reward_[i] = 1 / reward[i];
  }
  const PrcCost& cost = prc.cost();
  const auto rows = static_cast<double>(cost.num_transient);
  factor_ = static_cast<double>(cost.factor_multiply_adds) + rows;
  solve_ = static_cast<double>(cost.solve_multiply_adds) + rows;
  factor_pairs_ = static_cast<double>(cost.factor_multiply_adds);
  entries_ = static_cast<double>(prc.arrays().entry_column.size());
  terms_ = static_cast<double>(cost.solve_multiply_adds) - entries_;
  edges_ = static_cast<double>(graph.num_edges());
  num_rates_ = graph.num_rates();
}

double LawCost::contour(std::size_t num_nodes, std::size_t num_checks, std::size_t num_transforms,
                        std::size_t num_points) const {
  const auto nodes = static_cast<double>(num_nodes), checks = static_cast<double>(num_checks);
  const auto transforms = static_cast<double>(num_transforms);
  const double replay = kComplex * (nodes * (factor_ + (2 * transforms + 1) * solve_) +  //
                                    checks * (factor_ + transforms * solve_));
  return replay + transforms * static_cast<double>(num_points) * (5 * nodes + checks);
}

double LawCost::saddlepoint(std::size_t num_values) const {
  return static_cast<double>(num_values) *
         (kSaddleTrials * (factor_ + 3 * solve_) + kSaddleNodes * kComplex * (factor_ + 3 * solve_));
}

double LawCost::tilted_contour(std::size_t num_windows, std::size_t num_values) const {
  return kTiltedValue * static_cast<double>(num_values) +
         static_cast<double>(num_windows) *
             (kTiltedFloor + kSaddleTrials * (factor_ + 3 * solve_) + kTiltedNodes * kComplex * (factor_ + 3 * solve_));
}

double LawCost::uniformization(double rate, double largest_time, std::size_t num_points) const {
  const double mean = rate * largest_time, spread = 6 * std::sqrt(mean) + 40;
  return kChainFloor + kChainPerEdge * edges_ +
         (mean + spread) * kSteppingFactor * edges_ * (1 + static_cast<double>(num_rates_)) +
         static_cast<double>(num_points) * 2 * spread * (kWeightCost + static_cast<double>(num_rates_));
}

double LawCost::stepping(double largest_count) const {
  return kChainFloor + kChainPerEdge * edges_ +
         largest_count * kSteppingFactor * edges_ * (1 + static_cast<double>(num_rates_));
}

double LawCost::multiply_adds(const ReplayTally& tally) const {
  return static_cast<double>(tally.complex_factors) * kComplex * factor_pairs_ +
         static_cast<double>(tally.complex_solves) * (kComplex * entries_ + kRealByComplex * terms_) +
         static_cast<double>(tally.real_factors) * factor_pairs_ +
         static_cast<double>(tally.real_solves) * (entries_ + terms_);
}

double LawCost::uniformization_rate(std::span<const double> phi) const {
  double largest = 0;
  for (std::int32_t i = 0; i < graph_->num_states(); ++i) {
    if (inverse_reward_[i] == 0) continue;
    double exit = 0;
    for (std::int64_t e = graph_->edge_begin(i); e < graph_->edge_end(i); ++e) exit += graph_->weight(e, phi);
    largest = std::max(largest, exit * inverse_reward_[i]);
  }
  return largest;
}

}  // namespace sojourn
