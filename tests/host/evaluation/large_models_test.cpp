#include <gtest/gtest.h>

#include "sojourn/elimination.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

/// Components of a million states stay out of the user's cache.
class LargeModels : public testing::Test {
 protected:
  void SetUp() override {
    EliminationSettings settings = before_;
    settings.cache = CacheMode::kOff;
    configure_elimination(settings);
  }
  void TearDown() override { configure_elimination(before_); }

 private:
  const EliminationSettings before_ = elimination_settings();
};

double mean_at(const Evaluator& evaluator, std::vector<double> theta) {
  const MatrixView<const double> row(theta.data(), 1, theta.size());
  return evaluator.moments(row, evaluator.model().graph.unit_reward(), 1, false).values(0, 0);
}

/// From k customers the time until k - 1 are left has the mean (1 - r^(K-k+1)) / (mu - lambda), r = lambda / mu.
TEST_F(LargeModels, QueueOfAMillionStates) {
  constexpr std::int32_t kCapacity = 1'000'000;
  // One component of a million states, a path: no recursion anywhere, and linear time and memory.
  const Evaluator empty_soon(birth_death(kCapacity, 1, false), {.num_threads = 1});
  EXPECT_EQ(empty_soon.prc().cost().largest_component, kCapacity);
  // Each state adds a few roundings to a sum of positive terms that fall by half.
  EXPECT_NEAR(mean_at(empty_soon, {0.5, 1.0}), 2.0, 1e-14);
  EXPECT_NEAR(mean_at(empty_soon, {0.75, 1.0}), 4.0, 1e-14);
  // At equal rates every level counts: K + 1 - k, so K from one customer. A million roundings of a growing sum.
  EXPECT_NEAR(mean_at(empty_soon, {1.0, 1.0}), 1e6, 1e-6);
}

TEST_F(LargeModels, FullQueueOfAMillionStates) {
  constexpr std::int32_t kCapacity = 1'000'000;
  const Evaluator full(birth_death(kCapacity, kCapacity, false), {.num_threads = 1});
  // Sum over k of the means above: K / (mu - lambda) - r (1 - r^K) / (1 - r) / (mu - lambda).
  EXPECT_NEAR(mean_at(full, {0.5, 1.0}), 2e6 - 2.0, 1e-6);
}

TEST_F(LargeModels, ChainOfAMillionComponents) {
  const Evaluator evaluator(erlang(1'000'000), {.num_threads = 1});
  EXPECT_EQ(evaluator.prc().cost().num_levels, 1'000'000);
  EXPECT_NEAR(mean_at(evaluator, {2.0}), 5e5, 1e-6);  // a million roundings
}

}  // namespace
}  // namespace sojourn
