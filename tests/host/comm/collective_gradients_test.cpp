#include "sojourn/collective_gradients.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include "comm/thread_group.hpp"

namespace sojourn {
namespace {

using Values = std::vector<double>;
using Collective = std::function<Values(Communicator&, const Values&)>;

/// Small whole numbers, so that sums and products of them are exact.
Values whole_values(int rank, std::size_t count, unsigned seed) {
  std::mt19937 random(seed * 97 + static_cast<unsigned>(rank));
  std::uniform_int_distribution<int> number(-9, 9);
  Values values(count);
  for (double& value : values) value = number(random);
  return values;
}

double dot(Communicator& ranks, const Values& a, const Values& b) {
  EXPECT_EQ(a.size(), b.size());
  const double own = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  return ranks.all_reduce(std::span(&own, 1), Reduction::kSum)[0];
}

/// All collectives here are linear, and what gives their derivatives is their transpose: <A x, y> = <x, A^T y>.
void expect_transposed(Communicator& ranks, const char* name, std::size_t count, const Collective& forward,
                       const Collective& back) {
  const Values x = whole_values(ranks.rank(), count, 1);
  const Values result = forward(ranks, x);
  const Values y = whole_values(ranks.rank(), result.size(), 2);
  EXPECT_EQ(dot(ranks, result, y), dot(ranks, x, back(ranks, y))) << name << " on " << ranks.size();
}

class CollectiveGradients : public ::testing::TestWithParam<int> {};

TEST_P(CollectiveGradients, AreTheTransposedCollectives) {
  run_thread_ranks(GetParam(), [](Communicator& comm) {
    constexpr std::size_t kCount = 3;
    const int size = comm.size(), root = size - 1, rank = comm.rank();
    const int next = (rank + 1) % size, previous = (rank + size - 1) % size;
    const std::size_t blocks = kCount * static_cast<std::size_t>(size);
    expect_transposed(
        comm, "all_reduce", kCount, [](auto& c, auto& x) { return c.template all_reduce<double>(x, Reduction::kSum); },
        [](auto& c, auto& y) { return all_reduce_sum_gradient(c, y); });
    expect_transposed(
        comm, "reduce", kCount,
        [root](auto& c, auto& x) { return c.template reduce<double>(x, Reduction::kSum, root); },
        [root](auto& c, auto& y) { return reduce_sum_gradient(c, y, kCount, root); });
    expect_transposed(
        comm, "scan", kCount, [](auto& c, auto& x) { return c.template scan<double>(x, Reduction::kSum); },
        [](auto& c, auto& y) { return scan_sum_gradient(c, y); });
    expect_transposed(
        comm, "broadcast", kCount, [root](auto& c, auto& x) { return c.template broadcast<double>(x, root); },
        [root](auto& c, auto& y) { return broadcast_gradient(c, y, root); });
    expect_transposed(
        comm, "all_gather", kCount, [](auto& c, auto& x) { return c.template all_gather<double>(x); },
        [](auto& c, auto& y) { return all_gather_gradient(c, y); });
    expect_transposed(
        comm, "gather", kCount, [root](auto& c, auto& x) { return c.template gather<double>(x, root); },
        [root](auto& c, auto& y) { return gather_gradient(c, y, kCount, root); });
    expect_transposed(
        comm, "scatter", rank == root ? blocks : 0,
        [root](auto& c, auto& x) { return c.template scatter<double>(x, kCount, root); },
        [root](auto& c, auto& y) { return scatter_gradient(c, y, root); });
    expect_transposed(
        comm, "all_to_all", blocks, [](auto& c, auto& x) { return c.template all_to_all<double>(x); },
        [](auto& c, auto& y) { return all_to_all_gradient(c, y); });
    expect_transposed(
        comm, "send_receive", kCount,
        [&](auto& c, auto& x) { return c.template send_receive<double>(x, next, kCount, previous, 4); },
        [&](auto& c, auto& y) { return send_receive_gradient(c, y, next, kCount, previous, 4); });
  });
}

TEST_P(CollectiveGradients, OfAFunctionOfAllRanksMatchDifferences) {
  run_thread_ranks(GetParam(), [](Communicator& comm) {
    // L = sum over ranks r and places i of sin((r + 1) s_i), s the sum of all ranks' x.
    const auto total = [&comm](const Values& x) {
      double own = 0;
      for (const double s : comm.all_reduce<double>(x, Reduction::kSum)) own += std::sin((comm.rank() + 1) * s);
      return comm.all_reduce(std::span<const double>(&own, 1), Reduction::kSum)[0];
    };
    const Values x{0.1 + 0.03 * comm.rank(), -0.2 + 0.01 * comm.rank()};
    Values by_result;
    for (const double s : comm.all_reduce<double>(x, Reduction::kSum))
      by_result.push_back((comm.rank() + 1) * std::cos((comm.rank() + 1) * s));
    const Values gradient = all_reduce_sum_gradient(comm, by_result);
    constexpr double kStep = 1e-5;
    for (int other = 0; other < comm.size(); ++other) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        Values up = x, down = x;
        if (comm.rank() == other) up[i] += kStep, down[i] -= kStep;
        const double slope = (total(up) - total(down)) / (2 * kStep);
        // Differences are good to step^2 times the third derivative, (size)^3 at most here, and to rounding / step.
        if (comm.rank() == other) {
          EXPECT_NEAR(gradient[i], slope, 1e-8 * (1 + std::pow(comm.size(), 4)));
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, CollectiveGradients, ::testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace sojourn
