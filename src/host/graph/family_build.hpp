#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sojourn/model.hpp"

namespace sojourn {

/// A model whose rates are its parameters, each in [0, infinity).
Model family_model(std::string name, const std::vector<std::string>& parameter_names, StateGraph graph);

/// Refuses a family whose number of states is known to pass the limit, or whose memory, of which it has a lower bound,
/// what is left.
/// @throws ModelError.
void expect_state_count(const std::string& family, double num_states, std::size_t num_variables,
                        std::int64_t max_states);

/// @throws ModelError unless lower <= value.
void expect_at_least(const std::string& family, const char* option, std::int64_t value, std::int64_t lower);

/// n choose 2.
inline double num_pairs(std::int32_t n) { return 0.5 * n * (n - 1.0); }

/// Number of partitions of n where every part comes in `colours` colours, and of partitions of the vector (n, n).
/// Exact up to 2^53, rounded above; infinite where n > 2000 (one locus) or n > 60 (two). Cost: O(colours n^2), O(n^4).
double num_partitions(std::int32_t n, std::int32_t colours);
double num_bipartite_partitions(std::int32_t n);

}  // namespace sojourn
