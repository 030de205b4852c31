#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "evaluation/law.hpp"
#include "oracle/dense.hpp"

namespace sojourn {
namespace {

constexpr int kNumChains = 1500;

/// Chains with real poles by structure: acyclic, birth-death, stages of one rate, or parallel stages of nearly one
/// rate. Rates span up to 10^spread.
oracle::ZooChain random_chain(std::mt19937_64& random) {
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto states = static_cast<std::int32_t>(2 + random() % 8);
  const auto kind = random() % 4;
  const double spread = 3 * uniform(random);
  const auto rate = [&] { return std::pow(10.0, spread * (uniform(random) - 0.5)); };
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(states + 1);
  for (std::int32_t i = 0; i < states; ++i) {
    if (kind == 0) {
      for (std::int32_t j = i + 1; j <= states; ++j) {
        if (j == i + 1 || uniform(random) < 0.3) oracle::edge(builder, i, j, 0, {{0, rate()}});
      }
    } else if (kind == 3) {
      oracle::edge(builder, i, i + 2 < states ? i + 2 : states, 0, {{0, 1 + 1e-3 * uniform(random)}});
    } else {
      oracle::edge(builder, i, i + 1, 0, {{0, kind == 1 ? rate() : 1}});
      if (kind == 1 && i > 0) oracle::edge(builder, i, i - 1, 0, {{0, rate()}});
    }
  }
  builder.add_initial(0, 0.625);
  builder.add_initial(states / 2, 0.3125);
  oracle::ZooChain chain = oracle::finish("random", std::move(builder), {1.0});
  if (uniform(random) < 0.3) chain.reward[1] = 0;
  if (uniform(random) < 0.3) chain.reward[0] = rate();
  return chain;
}

TEST(LawRandom, NoErrorBoundIsExceededOnAnyRoute) {
  std::mt19937_64 random(20250101);
  std::uniform_real_distribution<double> uniform(0, 1);
  int certified[3] = {}, asked = 0;
  double largest = 0;
  for (int c = 0; c < kNumChains; ++c) {
    const oracle::ZooChain chain = random_chain(random);
    const Prc prc = eliminate(chain.graph);
    const oracle::DenseChain dense = oracle::dense_chain(chain);
    if (dense.matrix.rows() == 0) continue;
    const oracle::DenseVector sojourn =
        (-dense.matrix).partialPivLu().solve(oracle::DenseVector::Ones(dense.matrix.rows()));
    const auto mean = static_cast<double>(dense.alpha.dot(sojourn));
    const auto fastest = static_cast<double>(-dense.matrix.diagonal().minCoeff());
    if (fastest * mean > 1e9) continue;  // hardly a point would stay below the limit set next
    std::vector<LawPoint> points;
    while (points.size() < 6) {
      const double t = mean * std::pow(10.0, -4 + 5.5 * uniform(random));
      // The dense exponential loses 1e-19 per unit of rate times t.
      if (fastest * t < 1e7) points.push_back({t, true, true, true});
    }
    asked += 6;
    const LawMethod methods[] = {LawMethod::kAuto, LawMethod::kContour, LawMethod::kSaddlepoint};
    for (int m = 0; m < 3; ++m) {
      EvaluatorOptions options;
      options.method = methods[m];
      const LawPlan plan(chain.graph, prc, chain.reward, points, options);
      const auto workspace = plan.make_workspace();
      LawValues values;
      plan.values(chain.phi, false, values, {}, *workspace);
      for (std::size_t n = 0; n < points.size(); ++n) {
        if (!(values.error_bound[n] <= options.rtol)) continue;
        ++certified[m];
        const oracle::DenseLaw truth = oracle::dense_law(dense, points[n].value);
        // The bound itself, and what the dense reference and a logarithm in double lose.
        const auto expect_bounded = [&](double value, long double exact) {
          const auto log_exact = static_cast<double>(std::log(exact));
          const double lost = 1e-18 * fastest * points[n].value + 1e-15 * (1 + std::abs(log_exact));
          EXPECT_LE(std::abs(value - log_exact), values.error_bound[n] + lost)
              << "chain " << c << " route " << m << " t " << points[n].value;
          if (std::abs(value - log_exact) > largest) largest = std::abs(value - log_exact);
        };
        expect_bounded(values.log_density[n], truth.density);
        expect_bounded(values.log_survival[n], truth.survival);
        expect_bounded(values.log_cdf[n], truth.cdf);
      }
    }
  }
  EXPECT_EQ(certified[0], asked);  // one route or the other certifies every value
  EXPECT_GT(certified[1], asked / 4);
  EXPECT_EQ(certified[2], asked);
}

}  // namespace
}  // namespace sojourn
