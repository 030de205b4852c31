#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// What is proved about the poles of a law's transform, the eigenvalues of the pencil (A, R) with A = -S, R = diag(r).
///
/// A component of the chain has real eigenvalues only, whatever the weights, when it is a single state or when its
/// edges, taken without direction, form a tree (birth-death chains; two-deme lineage counts): such a component is
/// reversible. Any other component is tested at the particle for Kolmogorov's criterion pi_i w_ij = pi_j w_ji, with pi
/// carried along a spanning tree. Passing through zero-reward states keeps both properties.
class Spectrum {
 public:
  /// Both directions of a connected pair of states; `from` and `to` count inside the component.
  struct Pair {
    std::int32_t from, to;
    std::int64_t forward, backward;
  };
  struct Component {
    std::int32_t num_states = 0;
    bool one_way = false;            ///< an edge without its reverse: not reversible
    std::vector<Pair> tree, others;  ///< tree pairs lead from a state already reached to a new one
    std::vector<std::int32_t> states;
  };

  /// A cycle that misses Kolmogorov's criterion by more than this part is not taken for reversible.
  static constexpr double kLargestMiss = 1e-9;

  Spectrum(const StateGraph& graph, std::span<const double> reward);

  /// Real for every phi.
  [[nodiscard]] bool always_real() const { return components_.empty(); }
  /// Those that are neither single states nor trees.
  [[nodiscard]] std::span<const Component> components() const { return components_; }
  /// Bytes of its tables.
  [[nodiscard]] std::int64_t num_bytes() const;
  /// Doubles of scratch that `imaginary_bound` needs.
  [[nodiscard]] std::size_t scratch_size() const { return scratch_size_; }

  /// Upper bound on |Im lambda| over all poles at phi: 0 when always real, +inf when nothing is proved.
  ///
  /// A chain that misses Kolmogorov's criterion by a relative epsilon per edge is symmetric up to a perturbation of
  /// norm 2 epsilon max_i(exit_i / r_i), which bounds the imaginary parts; epsilon beyond kLargestMiss counts as a
  /// miss. Cost: O(edges of the components that are not trees), two logarithms each.
  [[nodiscard]] double imaginary_bound(std::span<const double> phi, std::span<double> scratch) const;

  /// Discrete time, real eigenvalues of P: whether none is negative, so that the generating function's poles lie on the
  /// positive axis. True where every state that can be returned to from another one stays with probability 1/2 or more
  /// (Gershgorin, after P is made symmetric) and earns, and no row sums to more than 1. Cost: O(edges).
  [[nodiscard]] bool no_negative_eigenvalue(std::span<const double> phi) const;

 private:
  const StateGraph* graph_;
  std::vector<Component> components_;
  std::vector<char> returning_;         ///< [num_states] whether the state's component has others
  std::vector<double> inverse_reward_;  ///< [num_states], 0 where the reward is 0
  double zero_factor_ = 1;
  std::size_t scratch_size_ = 0;
};

}  // namespace sojourn
