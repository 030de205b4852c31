// Likelihoods of random laws of counts by steps on a device, in a host loop over its threads, against 113 bits: no
// value is off by more than its bound.
#include <gtest/gtest.h>

#include <cmath>

#include "host/evaluation/shuffled_lanes.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "oracle/quad_counts.hpp"

namespace sojourn {
namespace {

using namespace cases;
using oracle::QuadCounts;
using oracle::ZooChain;

Model model_of(const ZooChain& chain) {
  return Model{chain.name, {{"a", 0, 1}, {"b", 0, 1}}, RateMap::identity(2), chain.graph, {}};
}

struct Answer {
  bool served = false;
  double value = 0, bound = 0;
  std::vector<double> by_rate;
};

Answer ask(const ZooChain& chain, const Observations& data) {
  DataLikelihood likelihood(model_of(chain), data, chain.reward);
  likelihood.use_device(testing::suite_likelihoods());
  Matrix<double> theta(1, 2);
  theta.values() = chain.phi;
  const Evaluation got = evaluate_at(likelihood, theta);
  Answer answer{
      likelihood.device_report().num_served == 1, got.value[0], likelihood.route_counts().worst_error_bound, {}};
  answer.by_rate.assign(got.gradient.row(0).begin(), got.gradient.row(0).end());
  return answer;
}

Observation exact(double n) { return {.lower = n, .upper = n}; }
Observation above(double n) { return {.lower = n, .upper = kInfinity}; }
Observation up_to(double n) { return {.lower = 0, .upper = n, .left_censored = true}; }

TEST(LikelihoodOfCounts, NoErrorBoundIsExceeded) {
  constexpr std::int64_t kLast = 3000;
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  Observations data = counts("count\n1\n");
  int num_asked = 0, num_served = 0, num_close = 0;
  double worst_slope = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const ZooChain chain = oracle::random_counts(seed);
    const QuadCounts truth(chain.graph, chain.phi, kLast);
    std::vector<Observation> all;
    for (int i = 0; i < 4; ++i) {
      const double n = std::floor(std::pow(10.0, uniform(random) * std::log10(0.5 + kLast)));
      const double later = std::floor(n + (static_cast<double>(kLast) - n) * std::pow(uniform(random), 3.0));
      const auto whole = static_cast<std::int64_t>(n);
      if (truth.mass(whole) > 1e-250) all.push_back(exact(n));
      if (truth.survival(whole) > 1e-250) all.push_back(above(n));
      if (truth.cdf(whole) > 1e-250) all.push_back(up_to(n));
      if (later > n && truth.survival(whole) > 1e-200 &&
          truth.cdf(static_cast<std::int64_t>(later)) - truth.cdf(whole) > 1e-250) {
        Observation between{.lower = n, .upper = later};
        if (uniform(random) < 0.5) between.entry = std::floor(0.5 * n);
        all.push_back(between);
      }
    }
    if (truth.mass(0) > 0) all.push_back(exact(0));
    const auto check = [&](const std::string& what, double weight) {
      const Answer answer = ask(chain, data);
      ++num_asked;
      if (!answer.served) return;
      ++num_served;
      const std::vector<long double> want = truth.log_likelihood(data);
      const double off = std::abs(static_cast<double>(answer.value - want[0]));
      // What the sum over observations rounds is no law's.
      const double allowed = weight * answer.bound + 4e-16 * std::abs(answer.value);
      EXPECT_LE(off, allowed) << what;
      num_close += off > 0.05 * allowed ? 1 : 0;
      for (std::size_t k = 0; k < 2; ++k) {
        const auto slope = static_cast<double>(want[1 + k]);
        const double error = std::abs(answer.by_rate[k] - slope) * chain.phi[k];
        // As its judge allows: a share of the derivative, or of an elasticity of 1 an observation.
        const double scale = std::max(std::abs(slope) * chain.phi[k], 0.1 * weight);
        worst_slope = std::max(worst_slope, error / scale);
        EXPECT_LE(error, 1e-9 * scale) << what << " by " << k;
      }
    };
    data.items.clear();
    double weight = 0;
    for (const Observation& item : all) {
      data.items.assign(1, item);
      check(chain.name + ": (" + std::to_string(item.lower) + ", " + std::to_string(item.upper) + "] after " +
                std::to_string(item.entry),
            item.entry > 0 ? 2 : 1);
      weight += item.entry > 0 ? 2 : 1;
    }
    data.items = all;
    if (!all.empty()) check(chain.name, weight);
  }
  EXPECT_GT(num_served, 1400);
  // Few are left to the CPU, and no bound is far too large.
  EXPECT_GT(num_served, 0.99 * num_asked);
  EXPECT_GT(num_close, 5);
  EXPECT_LT(worst_slope, 1e-11);
}

/// A ring of three states whose rows miss 1 by what rounding may leave: a tail that is taken from the other one is off
/// by that much in every step.
TEST(LikelihoodOfCounts, TailsKnowWhatRowsMiss) {
  Observations data = counts("count\n1\n");
  for (const double missed : {3e-15, -3e-15}) {
    StateGraphBuilder builder(TimeKind::kDiscrete, 2);
    builder.ensure_states(4);
    for (std::int32_t i = 0; i < 3; ++i) {
      oracle::edge(builder, i, (i + 1) % 3, 0, {{0, 1.0}});
      oracle::edge(builder, i, (i + 2) % 3, 0, {{1, 1.0}});
      oracle::edge(builder, i, 3, 0x1p-16);
    }
    builder.add_initial(0, 1);
    const ZooChain chain = oracle::finish("ring", std::move(builder), {0.75, 0.25 - 0x1p-16 - missed});
    const QuadCounts truth(chain.graph, chain.phi, 3000);
    double largest = 0;
    for (const double n : {10.0, 300.0, 3000.0}) {
      data.items.assign(1, above(n));
      const Answer answer = ask(chain, data);
      EXPECT_TRUE(answer.served);
      const double off = std::abs(static_cast<double>(answer.value - truth.log_likelihood(data)[0]));
      EXPECT_LE(off, answer.bound) << n;
      largest = std::max(largest, off);
    }
    EXPECT_GT(largest, 1e-12);
  }
}

}  // namespace
}  // namespace sojourn
