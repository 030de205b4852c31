#pragma once

#include <span>
#include <vector>

#include "sojourn/communicator.hpp"

namespace sojourn {

// Derivatives through collectives: a number L, the same on all ranks or a sum of terms that ranks have each, depends on
// what a collective gave every rank. Each function takes dL by this rank's result and gives dL by this rank's argument;
// all ranks call it. Sums are over ranks and cost one collective of the same size, but for `scan` and `all_gather`,
// whose costs are of `size()` times as much. @throws as the collectives.

/// `all_reduce(own, kSum)`. [n] of each rank.
std::vector<double> all_reduce_sum_gradient(Communicator& ranks, std::span<const double> by_result);
/// `reduce(own, kSum, root)`: `by_result` [n] is read on the root alone; n is told everywhere.
std::vector<double> reduce_sum_gradient(Communicator& ranks, std::span<const double> by_result, std::size_t n,
                                        int root);
/// `scan(own, kSum)`. [n]
std::vector<double> scan_sum_gradient(Communicator& ranks, std::span<const double> by_result);
/// `broadcast(values, root)`. [n]; zeros on ranks but the root, whose arguments decide nothing.
std::vector<double> broadcast_gradient(Communicator& ranks, std::span<const double> by_result, int root);
/// `all_gather(own)`: [size * n] to [n]. @throws ShapeError for unequal blocks.
std::vector<double> all_gather_gradient(Communicator& ranks, std::span<const double> by_result);
/// `gather(own, root)`: [size * n] on the root, nothing elsewhere, to [n]; n is told everywhere.
std::vector<double> gather_gradient(Communicator& ranks, std::span<const double> by_result, std::size_t n, int root);
/// `scatter(blocks, n, root)`: [n] to [size * n] on the root, nothing elsewhere.
std::vector<double> scatter_gradient(Communicator& ranks, std::span<const double> by_result, int root);
/// `all_to_all(blocks)`. [size * n]
std::vector<double> all_to_all_gradient(Communicator& ranks, std::span<const double> by_result);
/// `send_receive(values, to, ..., from, tag)`: derivatives go the way back. [received] to [n], n sent.
std::vector<double> send_receive_gradient(Communicator& ranks, std::span<const double> by_result, int to, std::size_t n,
                                          int from, int tag = 0);

}  // namespace sojourn
