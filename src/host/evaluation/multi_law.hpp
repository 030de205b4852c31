#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/particle_batch.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {

/// Values of many digits at one parameter vector, to settle doubts and to check the fast routes by other means: any
/// chain, real spectrum or not, moments and laws by one replay of the PRC program in multiprecision numbers.
///
/// Everything is computed on a ladder of working precisions (60, 150, 400, 1000 digits) until two steps agree to the
/// digits asked for. Continuous laws by the fixed Talbot contour with about as many nodes as digits (Abate, Valko
/// 2004), whose width grows with the nodes until it holds complex poles as well; discrete laws by the trapezoid rule on
/// a small circle, which is exact but for aliases below the working precision. Gradients by central differences with a
/// step of a third of the digits. Cost: nodes * factorisations at 1 to 100 us a multiply-add; a gradient 2 num_rates
/// times that.
struct MultiAnswer {
  std::vector<double> value;      ///< [N]; NaN where no two steps agree
  std::vector<std::string> text;  ///< [N] to the digits asked for
  std::vector<double> agreement;  ///< [N] relative difference of the last two steps
  std::vector<double> gradient;   ///< [N, num_rates] by rates, empty unless asked
  std::string message;            ///< empty, or what did not settle
};

/// E[Y^k], k = 1..order.
MultiAnswer multi_moments(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                          std::span<const double> reward, int order, int digits, bool gradient);
/// Gradients by rates [order, num_rates] of E[Y^k], k = 1..order, from 60 working digits: for chains on which the
/// derivative is what is left of terms up to 1e25 times its size. Cost: 2 num_rates replays of about 0.2 us a
/// multiply-add.
void multi_moment_gradient(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                           std::span<const double> reward, int order, std::span<double> gradient);
/// The same of E[exp(-s Y)].
void multi_laplace_gradient(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                            std::span<const double> reward, double s, std::span<double> gradient);
/// E[exp(-s Y)] at s [N].
MultiAnswer multi_laplace(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                          std::span<const double> reward, std::span<const double> s, int digits, bool gradient);
/// A transient law at points [N]; in discrete time the largest may be 2,000.
MultiAnswer multi_law(const StateGraph& graph, const Prc& prc, std::span<const double> phi,
                      std::span<const double> reward, LawKind kind, std::span<const double> points, int digits,
                      bool gradient);

/// The answers at every particle of a batch, N values each, one particle after the other.
Quantity gather_multi(const ParticleBatch& batch, std::size_t num_values,
                      const std::function<MultiAnswer(std::span<const double> phi)>& answer_at);

inline constexpr int kMaxDigits = 500;

}  // namespace sojourn
