#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/host_device.hpp"
#include "common/random.hpp"

/// One draw of a chain's gathered rewards, jump by jump, as a device thread computes it and the host does. What decides
/// the path is whole numbers and single roundings, so that both take the same one; logarithms may differ by a unit in
/// the last place.
namespace sojourn {

/// The embedded jump chain at fixed rates, as plain pointers: exit weights and one alias table a state (Walker 1977).
struct JumpView {
  std::int32_t num_states, num_starts, num_rewards;
  bool discrete;
  bool starts_surely;               ///< in the only start state
  const std::int64_t* edge_begin;   ///< [states + 1]; none leaves an absorbing state
  const std::int32_t* edge_to;      ///< [edges]
  const std::int32_t* other;        ///< [edges] target where the edge that was hit is not kept
  const double* threshold;          ///< [edges] chance to keep it
  const double* exit_weight;        ///< [states]
  const double* cumulative;         ///< [starts] of the start probabilities
  const std::int32_t* start_state;  ///< [starts]
  const double* reward;             ///< [rewards, states]
};

/// Start state, or -1 for the mass that is absorbed at time zero.
SOJOURN_HD inline std::int32_t draw_start(const JumpView& chain, PhiloxStream& random) {
  if (chain.starts_surely) return chain.start_state[0];
  const double u = random.next_uniform();
  std::int32_t first = 0, count = chain.num_starts;
  while (count > 0) {
    const std::int32_t half = count / 2;
    if (chain.cumulative[first + half] <= u) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first == chain.num_starts ? -1 : chain.start_state[first];
}

/// State after the next jump out of `state`, which is not absorbing. Cost: O(1).
SOJOURN_HD inline std::int32_t draw_jump(const JumpView& chain, std::int32_t state, PhiloxStream& random) {
  const std::int64_t begin = chain.edge_begin[state], degree = chain.edge_begin[state + 1] - begin;
  if (degree == 1) return chain.edge_to[begin];
  // A rounding of its own: joined with the difference below, another branch could be taken.
  const double place = std::fma(random.next_uniform(), static_cast<double>(degree), 0.0);
  const auto offset = static_cast<std::int64_t>(place);
  const std::int64_t edge = begin + offset;
  return place - static_cast<double>(offset) < chain.threshold[edge] ? chain.edge_to[edge] : chain.other[edge];
}

/// Time in `state`; steps spent there in discrete time, 1, 2, ... by inversion.
SOJOURN_HD inline double draw_stay(const JumpView& chain, std::int32_t state, PhiloxStream& random) {
  const double exit = chain.exit_weight[state];
  if (!chain.discrete) return random.next_exponential() / exit;
  if (exit >= 1) return 1;
  return 1 + std::floor(std::log(random.next_uniform()) / std::log1p(-exit));
}

/// A path that has made so many jumps is given up: seconds on a core.
inline constexpr std::int64_t kMostJumps = std::int64_t{1} << 28;

/// Follows draw number `index` of `seed` to absorption; `gathered` [rewards] takes what it earns, NaN where the path
/// is given up. Returns whether it is absorbed.
template <class Gathered>
SOJOURN_HD inline bool follow_path(const JumpView& chain, std::uint64_t seed, std::int64_t index,
                                   const Gathered& gathered) {
  PhiloxStream random(seed, kStreamSample, static_cast<std::uint64_t>(index));
  for (std::int32_t r = 0; r < chain.num_rewards; ++r) gathered[r] = 0;
  std::int32_t state = draw_start(chain, random);
  if (state < 0) return true;
  std::int64_t num_jumps = 0;
  while (chain.edge_begin[state] != chain.edge_begin[state + 1]) {
    if (num_jumps++ == kMostJumps) {
      for (std::int32_t r = 0; r < chain.num_rewards; ++r) gathered[r] = std::numeric_limits<double>::quiet_NaN();
      return false;
    }
    const double held = draw_stay(chain, state, random);
    for (std::int32_t r = 0; r < chain.num_rewards; ++r)
      gathered[r] += chain.reward[static_cast<std::int64_t>(r) * chain.num_states + state] * held;
    state = draw_jump(chain, state, random);
  }
  return true;
}

}  // namespace sojourn
