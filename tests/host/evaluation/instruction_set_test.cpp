#include "evaluation/instruction_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>

#include "evaluation/moment_replay.hpp"
#include "evaluation/stepping.hpp"
#include "evaluation/transform_kernels.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using oracle::ZooChain;

/// The sets round the same sums differently (fused or not, other widths), so bits may differ. Nothing cancels, and a
/// chain of n dependent operations differs by n roundings at most; these chains have at most some hundred.
constexpr double kTolerance = 1e-13;

constexpr std::size_t kNumLanes = 19;  // full blocks and a part of one at every width

/// Runs `body(set)` for every set but the baseline that this machine can run.
template <class Body>
void for_each_wide_set(Body&& body) {
#if defined(SOJOURN_INSTRUCTION_SETS)
  for (const InstructionSet set : usable_instruction_sets()) {
    SCOPED_TRACE(to_string(set));
    if (set == InstructionSet::kAvx2) body(std::integral_constant<InstructionSet, InstructionSet::kAvx2>{});
    if (set == InstructionSet::kAvx512) body(std::integral_constant<InstructionSet, InstructionSet::kAvx512>{});
  }
#else
  (void)body;
#endif
  if (usable_instruction_sets().size() == 1) GTEST_SKIP() << "this machine or build has the baseline alone";
}
constexpr std::integral_constant<InstructionSet, InstructionSet::kBaseline> kBaseline;

/// `scale` is what the differences of a gradient were taken from; 0 compares each number with itself.
void expect_close(const std::vector<double>& actual, const std::vector<double>& expected, const std::string& what,
                  double scale = 0) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (!std::isfinite(expected[i])) {
      EXPECT_EQ(std::isnan(actual[i]), std::isnan(expected[i])) << what << " " << i;
      EXPECT_TRUE(std::isnan(expected[i]) || actual[i] == expected[i]) << what << " " << i;
      continue;
    }
    EXPECT_NEAR(actual[i], expected[i], kTolerance * std::max(std::fabs(expected[i]), scale)) << what << " " << i;
  }
}

std::vector<ZooChain> chains() { return oracle::zoo(/*max_states=*/60); }

/// kNumLanes rows about the chain's own rates.
std::vector<double> scattered(const ZooChain& chain) {
  std::vector<double> phi;
  for (std::size_t lane = 0; lane < kNumLanes; ++lane) {
    for (const double rate : chain.phi)
      phi.push_back(rate * (chain.graph.time_kind() == TimeKind::kDiscrete ? 1 - 0.01 * static_cast<double>(lane)
                                                                           : 1 + 0.1 * static_cast<double>(lane)));
  }
  return phi;
}

double largest(const std::vector<double>& values) {
  double size = 0;
  for (const double value : values) size = std::isfinite(value) ? std::max(size, std::fabs(value)) : size;
  return size;
}

TEST(InstructionSet, IsTheWidestUsableUnlessTheEnvironmentSaysElse) {
  const auto usable = usable_instruction_sets();
  ASSERT_FALSE(usable.empty());
  EXPECT_EQ(usable.front(), InstructionSet::kBaseline);
  EXPECT_TRUE(std::is_sorted(usable.begin(), usable.end()));
  EXPECT_NE(std::find(usable.begin(), usable.end(), instruction_set()), usable.end());
  on_instruction_set([](auto set) { EXPECT_EQ(set(), instruction_set()); });
}

TEST(InstructionSet, MomentsAgree) {
  for_each_wide_set([](auto set) {
    for (const ZooChain& chain : chains()) {
      const Prc prc = eliminate(chain.graph);
      const std::vector<double> phi = scattered(chain);
      const std::size_t rates = chain.phi.size();
      const MatrixView<const double> rows(phi.data(), kNumLanes, rates);
      constexpr int kOrder = 3;
      std::vector<double> values(kNumLanes * kOrder), slopes(values.size() * rates), none;
      std::vector<double> wide_values(values.size()), wide_slopes(slopes.size());
      constexpr auto kRoute = GradientRoute::kDifferences;  // keeps its digits on stiff chains
      replay_moments_on<kBaseline>(chain.graph, prc, rows, chain.reward, kOrder, values, slopes, 1, kRoute);
      replay_moments_on<set>(chain.graph, prc, rows, chain.reward, kOrder, wide_values, wide_slopes, 1, kRoute);
      expect_close(wide_values, values, chain.name);
      for (std::size_t i = 0; i < slopes.size(); ++i) {
        // A derivative adds terms of both signs; 1e-8 is what is promised of one, relative to the largest.
        const double scale = largest({slopes.begin() + i / rates * rates, slopes.begin() + (i / rates + 1) * rates});
        EXPECT_NEAR(wide_slopes[i], slopes[i], 1e-9 * scale) << chain.name << " gradient " << i;
      }
      replay_moments_on<set>(chain.graph, prc, rows, chain.reward, kOrder, wide_values, none, 2, kRoute);
      expect_close(wide_values, values, chain.name + " without gradient");
    }
  });
}

TEST(InstructionSet, OtherReplaysAgree) {
  for_each_wide_set([](auto set) {
    for (const ZooChain& chain : chains()) {
      const Prc prc = eliminate(chain.graph);
      const std::vector<double> phi = scattered(chain);
      const MatrixView<const double> rows(phi.data(), kNumLanes, chain.phi.size());
      const std::vector<double> s{0.01, 1.0, 30.0};
      const auto num_states = static_cast<std::size_t>(chain.graph.num_states());
      std::vector<double> narrow(kNumLanes * 3), wide(narrow.size()), none;
      replay_laplace_on<kBaseline>(chain.graph, prc, rows, chain.reward, s, narrow, none, 1);
      replay_laplace_on<set>(chain.graph, prc, rows, chain.reward, s, wide, none, 1);
      expect_close(wide, narrow, chain.name + " laplace");
      narrow.assign(kNumLanes * num_states, 0);
      wide = narrow;
      replay_expected_sojourn_on<kBaseline>(chain.graph, prc, rows, narrow, none, 1);
      replay_expected_sojourn_on<set>(chain.graph, prc, rows, wide, none, 1);
      expect_close(wide, narrow, chain.name + " sojourn");
      const std::vector<double> unit = chain.graph.unit_reward();
      const std::vector<std::span<const double>> rewards{chain.reward, unit};
      std::vector<double> means(kNumLanes * 2), wide_means(means.size());
      narrow.assign(kNumLanes * 4, 0);
      wide = narrow;
      replay_cross_moments_on<kBaseline>(chain.graph, prc, rows, rewards, means, narrow, none, none, 1);
      replay_cross_moments_on<set>(chain.graph, prc, rows, rewards, wide_means, wide, none, none, 1);
      expect_close(wide_means, means, chain.name + " means");
      expect_close(wide, narrow, chain.name + " cross moments");
    }
  });
}

TEST(InstructionSet, TransformsAgree) {
  for_each_wide_set([](auto set) {
    for (const ZooChain& chain : chains()) {
      const Prc prc = eliminate(chain.graph);
      std::vector<std::complex<double>> s;
      for (int k = 0; k < 27; ++k) s.emplace_back(0.5 + 0.05 * k, 0.1 * k);
      std::vector<double> parts[2];
      const auto run = [&](const TransformKernels& kernels, std::vector<double>& out) {
        const auto workspace = kernels.make_workspace();
        kernels.set_particle(chain.phi, *workspace);
        std::vector<std::complex<double>> density(s.size()), survival(s.size());
        kernels.evaluate(s, density, survival, {}, {}, *workspace);
        std::vector<double> real_s{0.1, 0.2, 0.7}, value(3), first(3), second(3);
        kernels.evaluate_real(false, real_s, value, first, second, *workspace);
        out = {kernels.atom(*workspace)};
        for (const auto* list : {&value, &first, &second}) out.insert(out.end(), list->begin(), list->end());
        for (const auto& list : {density, survival}) {
          for (const std::complex<double>& z : list) {
            // Real and imaginary part are rounded relative to the size of the number.
            out.push_back(std::abs(z));
            out.push_back(std::abs(z) + z.real());
            out.push_back(std::abs(z) + z.imag());
          }
        }
      };
      run(*transform_kernels_on<kBaseline>(chain.graph, prc, chain.reward), parts[0]);
      run(*transform_kernels_on<set>(chain.graph, prc, chain.reward), parts[1]);
      expect_close(parts[1], parts[0], chain.name + " transform", chain.name == "all_atom" ? 1 : 0);
    }
  });
}

TEST(InstructionSet, SteppingAgrees) {
  for_each_wide_set([](auto set) {
    for (const ZooChain& chain : chains()) {
      const NumericChain numeric = numeric_chain(chain.graph, chain.phi, chain.reward, true);
      const bool discrete = chain.graph.time_kind() == TimeKind::kDiscrete;
      const std::vector<LawPoint> points{{1, true, true, true}, {discrete ? 4.0 : 0.3, true, true, true}};
      if (!discrete && uniformization_cost(numeric, points, 1e-9, true) > 1e6) continue;  // seconds of stepping
      LawValues narrow, wide;
      std::vector<double> states(static_cast<std::size_t>(chain.graph.num_states())), wide_states(states.size()), none;
      if (discrete) {
        stepping_on<kBaseline>(numeric, points, 1'000'000'000, true, narrow);
        stepping_on<set>(numeric, points, 1'000'000'000, true, wide);
      } else {
        uniformization_on<kBaseline>(numeric, points, 1e-9, 1'000'000'000, true, narrow);
        uniformization_on<set>(numeric, points, 1e-9, 1'000'000'000, true, wide);
      }
      ASSERT_EQ(narrow.error_bound.size(), points.size());
      for (std::size_t n = 0; n < points.size(); ++n) {
        // Steps round once or twice each; the bounds count them. Logarithms: absolute errors are relative ones.
        const double bound = narrow.error_bound[n] + wide.error_bound[n];
        EXPECT_LT(bound, 1e-11) << chain.name;
        for (const auto values : {&LawValues::log_density, &LawValues::log_survival, &LawValues::log_cdf}) {
          if (std::isinf((narrow.*values)[n])) continue;
          EXPECT_NEAR((wide.*values)[n], (narrow.*values)[n], bound) << chain.name << " point " << n;
        }
      }
      const auto at = [&](auto chosen, std::vector<double>& out) {
        state_probability_on<chosen>(chain.graph, chain.phi, 1, 1e-9, 1'000'000'000, out, none);
      };
      at(kBaseline, states);
      at(set, wide_states);
      expect_close(wide_states, states, chain.name + " state probability", 1e-6);
    }
  });
}

}  // namespace
}  // namespace sojourn
