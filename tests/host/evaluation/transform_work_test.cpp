#include <gtest/gtest.h>

#include <complex>

// Packs of numbers are passed within this file alone.
#pragma GCC diagnostic ignored "-Wpsabi"
#include "elimination/prc_arrays.hpp"
#include "evaluation/contour.hpp"
#include "evaluation/law.hpp"
#include "evaluation/law_cost.hpp"
#include "evaluation/transform_nodes.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

/// Products added up by the numbers below, by what their factors are.
struct Added {
  std::int64_t complex_by_complex = 0, real_by_complex = 0;
};
Added added;

/// A complex number that counts.
struct Counting {
  std::complex<double> value;
  Counting() = default;
  explicit Counting(double real) : value(real) {}
  Counting& operator+=(const Counting& other) {
    value += other.value;
    return *this;
  }
};
Counting with(const std::complex<double>& value) {
  Counting result;
  result.value = value;
  return result;
}
Counting operator+(const Counting& a, const Counting& b) { return with(a.value + b.value); }
Counting operator*(const Counting& a, const Counting& b) { return with(a.value * b.value); }
Counting operator*(double a, const Counting& b) { return with(a * b.value); }
Counting reciprocal(const Counting& a) { return with(1.0 / a.value); }
double size_of(const Counting& a) { return std::abs(a.value); }
void add_product(Counting& sum, const Counting& a, const Counting& b) {
  ++added.complex_by_complex;
  sum.value += a.value * b.value;
}
void add_product(Counting& sum, double a, const Counting& b) {
  ++added.real_by_complex;
  sum.value += a * b.value;
}
void add_product(Counting& sum, double a, double b) { sum.value += a * b; }

struct CountedModel {
  const char* name;
  StateGraph (*make)();
};

StateGraph small_grid() {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  constexpr std::int32_t kSide = 24;
  builder.ensure_states(kSide * kSide + 1);
  for (std::int32_t s = 0; s < kSide * kSide; ++s) {
    const RateTerm along{0, 1.0}, across{1, 1.0};
    if (s % kSide > 0) builder.add_edge(s, s - 1, 0, {&along, 1});
    if (s % kSide + 1 < kSide) builder.add_edge(s, s + 1, 0, {&along, 1});
    if (s >= kSide) builder.add_edge(s, s - kSide, 0, {&across, 1});
    builder.add_edge(s, s + kSide < kSide * kSide ? s + kSide : kSide * kSide, 0, {&across, 1});
  }
  builder.add_initial(0, 1);
  return std::move(builder).build();
}

class TransformWork : public testing::TestWithParam<CountedModel> {};

/// What `LawCost` takes a replay for against a replay of numbers that count their products. Not among them are the sums
/// over groups times their rate, one a group.
TEST_P(TransformWork, IsWhatNumbersCount) {
  const StateGraph graph = GetParam().make();
  const Prc prc = eliminate(graph);
  const PrcArrays& arrays = prc.arrays();
  const std::vector<double> reward(static_cast<std::size_t>(graph.num_states()), 1.0);
  const LawCost cost(graph, prc, reward);
  const std::vector<double> rate(1 + arrays.num_rates + arrays.forms.size(), 1.0);
  const std::vector<double> by_row(arrays.rows.size(), 1.0);
  const LazyDifferenceProgram differences(arrays);
  TransformNodes<Counting> nodes(prc, differences);
  TransformParticle particle;
  particle.rate = rate.data();
  particle.reward = particle.exit = particle.alpha = by_row.data();
  std::int64_t groups = 0, arrivals = std::ssize(arrays.arrivals);
  for (const PrcRow& row : arrays.rows) groups += row.group_middle - row.group_begin;
  const auto counted = [&](auto&& work) {
    added = {};
    work();
    return added;
  };
  const Added factor = counted([&] { nodes.factor(particle, with({0.5, 1.0}), IgnorePivots{}); });
  EXPECT_EQ(cost.multiply_adds({.complex_factors = 1}), 4.0 * static_cast<double>(factor.complex_by_complex));
  EXPECT_EQ(cost.multiply_adds({.real_factors = 1}), static_cast<double>(factor.complex_by_complex));
  const Added solve = counted([&] { (void)nodes.solve(false); });
  std::int64_t starts = 0;
  for (const double alpha : arrays.alpha) starts += alpha != 0;
  const auto along_edges = static_cast<double>(solve.real_by_complex - groups - starts);
  EXPECT_EQ(cost.multiply_adds({.complex_solves = 1}),
            4.0 * static_cast<double>(solve.complex_by_complex) + 2.0 * along_edges);
  EXPECT_EQ(cost.multiply_adds({.real_solves = 1}), static_cast<double>(solve.complex_by_complex) + along_edges);
  const Added visits = counted([&] { nodes.solve_visits(); });
  EXPECT_EQ(cost.multiply_adds({.complex_solves = 1}),
            4.0 * static_cast<double>(visits.complex_by_complex) +
                2.0 * static_cast<double>(visits.real_by_complex - arrivals));
  EXPECT_GT(cost.multiply_adds({.complex_solves = 1}), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Models, TransformWork,
    testing::Values(CountedModel{"coalescent", [] { return coalescent_blocks(12).graph; }},
                    CountedModel{"two_demes",
                                 [] {
                                   const std::int32_t samples[] = {4, 3};
                                   return structured_coalescent_blocks(samples).graph;
                                 }},
                    CountedModel{"dense", [] { return phase_type(12, std::vector<double>(12, 1.0 / 12)).graph; }},
                    CountedModel{"grid", small_grid}),
    [](const auto& info) { return std::string(info.param.name); });

/// One window, no tail that another route serves: its nodes with value and gradient, its check nodes with values, sums.
TEST(TransformWork, OfALikelihoodIsThatOfItsNodes) {
  const StateGraph graph = coalescent_blocks(10).graph;
  const Prc prc = eliminate(graph);
  const std::vector<double> reward(static_cast<std::size_t>(graph.num_states()), 1.0);
  std::vector<LawPoint> points;
  std::vector<double> times;
  for (int i = 0; i < 40; ++i) {
    times.push_back(0.5 + 0.1 * i);
    points.push_back({times.back(), true, false, false});
  }
  const EvaluatorOptions options;
  const LawPlan plan(graph, prc, reward, points, options);
  const auto workspace = plan.make_workspace();
  const SharedContour contour(times, options.rtol);
  const LawCost cost(graph, prc, reward);
  const auto num_nodes = static_cast<std::int64_t>(contour.nodes().size()),
             num_checks = static_cast<std::int64_t>(contour.check_nodes().size());
  const LawObjective sum = [](std::span<const double> log_density, std::span<const double>, std::span<const double>,
                              std::span<double> by_density, std::span<double>, std::span<double>) {
    double total = 0;
    for (std::size_t n = 0; n < log_density.size(); ++n) {
      total += log_density[n];
      by_density[n] = 1;
    }
    return total;
  };
  for (const bool with_gradient : {false, true}) {
    std::vector<double> gradient(with_gradient ? 1 : 0);
    double value = 0;
    const std::vector<double> phi{1.25};
    const LawOutcome outcome = plan.objective(phi, sum, value, gradient, *workspace);
    ASSERT_TRUE(outcome.ok) << outcome.message;
    ASSERT_EQ(outcome.num_contour, 40);
    const double replays = cost.multiply_adds({.complex_factors = num_nodes + num_checks,
                                               .complex_solves = (with_gradient ? 2 : 1) * num_nodes + num_checks});
    const double sums = 40.0 * static_cast<double>(3 * num_nodes + num_checks) +
                        (with_gradient ? 2.0 * static_cast<double>(num_nodes) * (40 + 1) : 0);
    // Tilts take a real replay with three solves, and a factor for each trial: some five of each window's hundred.
    const double tilt = cost.multiply_adds({.real_factors = 1, .real_solves = 3});
    EXPECT_GE(outcome.multiply_adds, replays + sums + tilt);
    EXPECT_LE(outcome.multiply_adds,
              replays + sums + tilt +
                  5 * static_cast<double>(contour.num_windows()) * cost.multiply_adds({.real_factors = 1}));
  }
}

}  // namespace
}  // namespace sojourn
