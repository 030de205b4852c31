#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "elimination/symbolic_factor.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// 128-bit XXH3 of built structure; never of source text, names or addresses.
struct ContentKey {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const ContentKey&) const = default;
  [[nodiscard]] std::string hex() const;  ///< 32 digits
};

struct ContentKeyHash {
  std::size_t operator()(const ContentKey& key) const { return key.low; }
};

/// Key of a component: its internal edges, and the version of the rule that orders them. Cost: O(edges).
ContentKey key_of(const ComponentPattern& pattern);

/// Key of all that the elimination of a graph depends on: number of rates, edges with base and coefficients, start.
/// Cost: O(edges).
ContentKey key_of(const StateGraph& graph);

}  // namespace sojourn
