#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/instruction_set.hpp"
#include "sojourn/matrix_view.hpp"
#include "sojourn/prc.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Batch replays of moments by rates phi [K, num_rates]; every weight must be >= 0. Rewards are by state, [num_states].
/// Outputs are row-major; a gradient span may be empty, which saves half the cost. Values that leave the range of
/// double come out as infinity; intermediate results do not overflow. The bits of a lane depend on its own phi alone.

/// How gradients of moments come about. `kProducts` subtracts what each rate's edges lose from what they gain and is
/// quick; `kDifferences` solves for the differences themselves and keeps its digits on stiff chains (decision 0001).
/// `kCertified` takes the products of a lane where their rounding provably leaves enough digits, else the differences.
enum class GradientRoute { kCertified, kProducts, kDifferences };

/// E[Y^k], k = 1..order: values [K, order], gradient [K, order, num_rates]. Discrete time always takes differences.
/// Returns the number of lanes whose gradient came from differences; `in_doubt` [K] (may be empty) is set to 1 where
/// even these may have lost digits that matter.
std::size_t replay_moments(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                           std::span<const double> reward, int order, std::span<double> values,
                           std::span<double> gradient, int num_threads, GradientRoute route = GradientRoute::kCertified,
                           std::span<char> in_doubt = {});

/// E[Y_a] for every reward and E[Y_a Y_b] for every pair: means [K, R], second [K, R, R], gradients by rate appended.
void replay_cross_moments(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                          const std::vector<std::span<const double>>& rewards, std::span<double> means,
                          std::span<double> second, std::span<double> means_gradient, std::span<double> second_gradient,
                          int num_threads);

/// Which transform: E[exp(-s Y)], or that of P(Y > t), alpha (s R + A)^-1 r.
enum class TransformOf { kDensity, kSurvival };

/// A transform at s [S] >= 0: values [K, S], gradient [K, S, num_rates]; `in_doubt` [K, S] (may be empty) is set to 1
/// where a gradient may have lost digits that matter.
void replay_laplace(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                    std::span<const double> reward, std::span<const double> s, std::span<double> values,
                    std::span<double> gradient, int num_threads, std::span<char> in_doubt = {},
                    TransformOf of = TransformOf::kDensity);

/// Expected time (steps) per state: values [K, num_states], gradient [K, num_states, num_rates] (one solve per state).
void replay_expected_sojourn(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                             std::span<double> values, std::span<double> gradient, int num_threads);

/// The same compiled for one instruction set.
template <InstructionSet>
std::size_t replay_moments_on(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                              std::span<const double> reward, int order, std::span<double> values,
                              std::span<double> gradient, int num_threads, GradientRoute route,
                              std::span<char> in_doubt = {});
template <InstructionSet>
void replay_cross_moments_on(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                             const std::vector<std::span<const double>>& rewards, std::span<double> means,
                             std::span<double> second, std::span<double> means_gradient,
                             std::span<double> second_gradient, int num_threads);
template <InstructionSet>
void replay_laplace_on(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                       std::span<const double> reward, std::span<const double> s, std::span<double> values,
                       std::span<double> gradient, int num_threads, std::span<char> in_doubt = {},
                       TransformOf of = TransformOf::kDensity);
template <InstructionSet>
void replay_expected_sojourn_on(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                std::span<double> values, std::span<double> gradient, int num_threads);

}  // namespace sojourn
