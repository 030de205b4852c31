#include <gtest/gtest.h>

#include <cmath>

#include "evaluation/law.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/multi_law.hpp"
#include "oracle/cancelling_chain.hpp"

namespace sojourn {
namespace {

using oracle::ZooChain;

TEST(LawForms, BoundsHoldWhereWeightsCancel) {
  int num_certified = 0;
  for (const double digits : {4.0, 9.0, 13.0}) {
    for (int seed = 0; seed < 5; ++seed) {
      const ZooChain chain = oracle::cancelling_chain(static_cast<std::uint64_t>(seed), digits);
      const Prc prc = eliminate(chain.graph);
      const double mean = multi_moments(chain.graph, prc, chain.phi, chain.reward, 1, 30, false).value[0];
      std::vector<LawPoint> points;
      const std::vector<double> times{0.01 * mean, 2 * mean};
      for (const double time : times) points.push_back({time, true, true, true});
      const MultiAnswer density = multi_law(chain.graph, prc, chain.phi, chain.reward, LawKind::kPdf, times, 20, false);
      for (const LawMethod method : {LawMethod::kAuto, LawMethod::kUniformization}) {
        EvaluatorOptions options;
        options.method = method;
        // Steps of uniformization grow with the time.
        if (method == LawMethod::kUniformization && mean > 1e3) continue;
        const LawPlan plan(chain.graph, prc, chain.reward, points, options);
        const auto workspace = plan.make_workspace();
        LawValues values;
        plan.values(chain.phi, false, values, {}, *workspace);
        for (std::size_t n = 0; n < points.size(); ++n) {
          if (!(values.error_bound[n] <= options.rtol)) continue;
          ++num_certified;
          const double exact = std::log(density.value[n]);
          EXPECT_LE(std::fabs(values.log_density[n] - exact), values.error_bound[n] + 1e-15 * (1 + std::fabs(exact)))
              << chain.name << " digits " << digits << " t " << times[n];
        }
      }
    }
  }
  EXPECT_GT(num_certified, 30);
}

/// Exact and fp64 moments of the same chains, and gradients by rates.
TEST(LawForms, MomentsKeepTheirDigits) {
  for (int seed = 0; seed < 100; ++seed) {
    const ZooChain chain = oracle::cancelling_chain(static_cast<std::uint64_t>(seed), 13);
    const Prc prc = eliminate(chain.graph);
    const MultiAnswer truth = multi_moments(chain.graph, prc, chain.phi, chain.reward, 2, 40, true);
    std::vector<double> values(2), gradient(4);
    replay_moments(chain.graph, prc, {chain.phi.data(), 1, 2}, chain.reward, 2, values, gradient, 1);
    for (std::size_t j = 0; j < 2; ++j) EXPECT_NEAR(values[j], truth.value[j], 1e-13 * truth.value[j]) << chain.name;
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_NEAR(gradient[i], truth.gradient[i], 1e-9 * std::fabs(truth.gradient[i])) << chain.name;
  }
}

}  // namespace
}  // namespace sojourn
