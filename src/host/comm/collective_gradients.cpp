#include "sojourn/collective_gradients.hpp"

#include "expects.hpp"

namespace sojourn {

std::vector<double> all_reduce_sum_gradient(Communicator& ranks, std::span<const double> by_result) {
  return ranks.all_reduce(by_result, Reduction::kSum);
}

std::vector<double> reduce_sum_gradient(Communicator& ranks, std::span<const double> by_result, std::size_t n,
                                        int root) {
  std::vector<double> by_own(n);
  if (ranks.rank() == root) {
    SOJOURN_EXPECTS(by_result.size() == n, ShapeError, "reduce_sum_gradient: {} derivatives for {} elements",
                    by_result.size(), n);
    by_own.assign(by_result.begin(), by_result.end());
  }
  ranks.broadcast_in_place(std::span(by_own), root);
  return by_own;
}

std::vector<double> scan_sum_gradient(Communicator& ranks, std::span<const double> by_result) {
  // An element is part of the results of its own rank and of all later ones.
  const std::size_t n = by_result.size();
  const std::vector<double> all = ranks.all_gather(by_result);
  std::vector<double> by_own(n);
  for (auto rank = static_cast<std::size_t>(ranks.rank()); rank < static_cast<std::size_t>(ranks.size()); ++rank)
    for (std::size_t i = 0; i < n; ++i) by_own[i] += all[rank * n + i];
  return by_own;
}

std::vector<double> broadcast_gradient(Communicator& ranks, std::span<const double> by_result, int root) {
  std::vector<double> sum = ranks.reduce(by_result, Reduction::kSum, root);
  sum.resize(by_result.size());
  return sum;
}

std::vector<double> all_gather_gradient(Communicator& ranks, std::span<const double> by_result) {
  const auto num_ranks = static_cast<std::size_t>(ranks.size());
  SOJOURN_EXPECTS(by_result.size() % num_ranks == 0, ShapeError,
                  "all_gather_gradient: {} derivatives do not make {} blocks of equal size", by_result.size(),
                  num_ranks);
  const std::size_t n = by_result.size() / num_ranks;
  const std::vector<double> sum = ranks.all_reduce(by_result, Reduction::kSum);
  const auto own = sum.begin() + static_cast<std::ptrdiff_t>(n * static_cast<std::size_t>(ranks.rank()));
  return {own, own + static_cast<std::ptrdiff_t>(n)};
}

std::vector<double> gather_gradient(Communicator& ranks, std::span<const double> by_result, std::size_t n, int root) {
  return ranks.scatter(by_result, n, root);
}

std::vector<double> scatter_gradient(Communicator& ranks, std::span<const double> by_result, int root) {
  return ranks.gather(by_result, root);
}

std::vector<double> all_to_all_gradient(Communicator& ranks, std::span<const double> by_result) {
  return ranks.all_to_all(by_result);
}

std::vector<double> send_receive_gradient(Communicator& ranks, std::span<const double> by_result, int to, std::size_t n,
                                          int from, int tag) {
  return ranks.send_receive(by_result, from, n, to, tag);
}

}  // namespace sojourn
