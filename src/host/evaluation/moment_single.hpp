#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "evaluation/instruction_set.hpp"
#include "sojourn/matrix_view.hpp"
#include "sojourn/prc.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Largest relative error bounds of a value and of a derivative in single precision; beyond them the answer is computed
/// in double. A derivative is a difference, whose bound is far above what occurs.
inline constexpr double kSingleTolerance = 1e-3;
inline constexpr double kSingleGradientTolerance = 1e-2;

/// What is known of moments from single precision.
struct SingleMoments {
  std::vector<double> error_bound;     ///< [K, order] relative
  std::vector<double> gradient_error;  ///< [K, order, num_rates] relative, empty without gradient
  std::vector<char> single;            ///< [K] 0 where double precision answered
  std::vector<char> in_doubt;          ///< [K] 1 where its gradient may have lost digits; empty without gradient
};

/// `replay_moments` in single precision, twice the lanes to a register, checked: a parameter vector whose numbers leave
/// the range of single precision anywhere, or whose bound is above the tolerance, is answered in double precision,
/// and discrete time always is. Values are sums of positive terms without a subtraction, so their relative error is at
/// most the roundings on the longest way through the program, which are counted. For a gradient, the difference of two
/// such sums, that many roundings of what it was taken from. Rates that are forms with negative coefficients (1 - p)
/// may cancel: they are summed up before anything is rounded to single precision (`FormSum`). The bits of a lane, and
/// which precision answers it, depend on its own phi alone.
SingleMoments replay_moments_single(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                    std::span<const double> reward, int order, std::span<double> values,
                                    std::span<double> gradient, int num_threads);

/// The replay alone. `share` is the relative error of the sums that a gradient is the difference of. Sets `refused` [K]
/// to 1 where a number left the range or a gradient's error is above the tolerance; what is written there means
/// nothing.
template <InstructionSet>
void replay_moments_single_on(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                              std::span<const double> reward, int order, double share, std::span<double> values,
                              std::span<double> gradient, std::span<double> gradient_error, std::span<char> refused,
                              int num_threads);

/// Groups of edges that a gradient sums in single precision before it goes on in double, but for those of one
/// component.
inline constexpr std::int64_t kSummedGroups = 32;

}  // namespace sojourn
