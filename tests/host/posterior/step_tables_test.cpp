// Rungs and Poisson weights of uniformization on a device, against sums in 64 bits and more.
#include "posterior/step_tables.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "host/posterior/posterior_cases.hpp"
#include "posterior/law_support.hpp"
#include "posterior/likelihood.hpp"

namespace sojourn {
namespace {

using namespace cases;

/// Tables of a chain's likelihood of single times.
struct Made {
  explicit Made(const Model& model, const std::string& csv, const EvaluatorOptions& options = {})
      : prc(eliminate(model.graph)),
        likelihood(times(csv), law_support(model.graph, model.graph.unit_reward()), TimeKind::kContinuous),
        tables(model.graph, prc, model.graph.unit_reward(), likelihood, nullptr, options),
        steps(prc.arrays(), tables) {}
  Prc prc;
  Likelihood likelihood;
  LikelihoodTables tables;
  StepTables steps;
};

/// Poisson weight by long double throughout. x86's has 64 bits: good to 1e-15 for log weights below 1000.
long double exact_weight(std::int64_t n, long double mean) {
  const auto x = static_cast<long double>(n);
  return std::exp(x * std::log(mean) - mean - std::lgamma(x + 1));
}

TEST(StepTables, RungsAreJustAboveTheRate) {
  for (double rate = 1e-300; rate < 1e300; rate *= 1.0371) {
    const std::int32_t code = StepTables::rung_code(rate);
    EXPECT_GE(StepTables::rung_rate(code), rate);
    EXPECT_LT(StepTables::rung_rate(code - 1), rate);
    EXPECT_LE(StepTables::rung_rate(code), 1.25 * StepTables::rung_rate(code - 1));
  }
  for (const double rung : {0.125, 1.0, 1.25, 1.5, 1.75, 2.0, 3.5, 0x1p40}) {
    EXPECT_EQ(StepTables::rung_rate(StepTables::rung_code(rung)), rung);
    EXPECT_GT(StepTables::rung_rate(StepTables::rung_code(std::nextafter(rung, 1e99))), rung);
  }
}

TEST(StepTables, WeightsArePoissonAndTheirBoundsBound) {
  Made made(two_stages(), "time\n0.001\n0.3\n1\n7\n49\n300\n2000\n");
  const std::int32_t place = made.steps.find(StepTables::rung_code(4));
  ASSERT_EQ(place, 0);
  const StepView view = made.steps.view();
  EXPECT_EQ(view.rungs[0].rate, 4);
  std::int64_t most = 0;
  for (std::int32_t k = 0; k < view.num_times; ++k) {
    const StepWindow& window = view.windows[view.rungs[0].window_begin + k];
    const long double mean = 4.0L * made.tables.times[view.time_order[k]].place.time;
    const std::int64_t end = window.first + window.count;
    long double sum = 0;
    for (std::int64_t n = window.first; n < end; ++n) {
      const long double exact = exact_weight(n, mean);
      const double got = view.weights[window.weight_begin + n - window.first];
      // The roundings that a value's bound has for it: once, by the size of its logarithm, and one a step.
      const auto logarithm = static_cast<double>(std::abs(std::log(exact)));
      EXPECT_NEAR(static_cast<double>(got / exact), 1, 0x1p-53 * (256 + 4 * logarithm + static_cast<double>(n)))
          << n << " of " << static_cast<double>(mean);
      sum += got;
    }
    EXPECT_NEAR(static_cast<double>(sum), 1, 1e-13);
    if (window.first > 0) {
      EXPECT_LT(static_cast<double>(exact_weight(window.first - 1, mean)), kLeastStepWeight);
    }
    long double tail = 0;
    for (std::int64_t n = end; n < end + 2000; ++n) tail += exact_weight(n, mean);
    EXPECT_LE(static_cast<double>(tail), window.tail * (1 + 1e-10));
    EXPECT_LE(window.tail, 1e-100);
    EXPECT_GT(static_cast<double>(tail), 0.3 * window.tail) << "the bound is near";
    if (k > 0) {
      const StepWindow& before = view.windows[view.rungs[0].window_begin + k - 1];
      EXPECT_GE(window.first, before.first);
      EXPECT_GE(end, before.first + before.count);
    }
    most = std::max(most, end - 1);
  }
  EXPECT_EQ(view.rungs[0].num_steps, most);
}

TEST(StepTables, EdgesComeByTarget) {
  // Two rates into state 1, from states 0 and 2; state 2's reward is 4.
  const Model model = make_model(TimeKind::kContinuous, 4, {{0, 1.0}},
                                 {{0, 1, 0.5, {}}, {0, 2, 0, {{0, 1.0}}}, {1, 3, 0, {{1, 1.0}}}, {2, 1, 0, {{0, 3.0}}}},
                                 {{"a"}, {"b"}}, RateMap::identity(2));
  const Prc prc = eliminate(model.graph);
  const std::vector<double> reward = {1, 2, 4, 0};
  const Likelihood likelihood(times("time\n1\n"), law_support(model.graph, reward), TimeKind::kContinuous);
  const LikelihoodTables tables(model.graph, prc, reward, likelihood, nullptr, {});
  const StepTables steps(prc.arrays(), tables);
  double by_rate[3] = {0, 0, 0};
  std::size_t num_terms = 0;
  for (std::size_t v = 0; v < steps.rows.size(); ++v) {
    if (prc.arrays().state_of_row[v] != 1) continue;
    for (std::int64_t g = steps.rows[v].group_begin; g < steps.rows[v].group_end; ++g)
      for (std::int64_t t = steps.groups[g].term_begin; t < steps.groups[g].term_end; ++t, ++num_terms)
        by_rate[steps.groups[g].rate] += steps.terms[t].coefficient;
  }
  EXPECT_EQ(num_terms, 2u);
  EXPECT_EQ(by_rate[0], 0.5);
  EXPECT_EQ(by_rate[1], 0.75);
  const double extended[] = {1, 10, 3};
  EXPECT_EQ(steps.largest_rate(extended), 10.5);
}

TEST(StepTables, CountsAreWindowsOfOneRung) {
  const Model model = make_model(TimeKind::kDiscrete, 3, {{0, 1.0}},
                                 {{0, 1, 0.5, {{0, -0.25}}}, {0, 2, 0, {{1, 0.5}}}, {1, 2, 0, {{1, 1.0}}}},
                                 {{"a", 0, 1}, {"b", 0, 1}}, RateMap::identity(2));
  const Prc prc = eliminate(model.graph);
  const std::vector<double>& reward = model.graph.unit_reward();
  const auto made = [&](const std::string& csv, const EvaluatorOptions& options) {
    const Likelihood likelihood(counts(csv), law_support(model.graph, reward), TimeKind::kDiscrete);
    return LikelihoodTables(model.graph, prc, reward, likelihood, nullptr, options);
  };
  // An interval of weight 4 around three other counts, late entry after one of them.
  const LikelihoodTables tables =
      made("count,event,lower,upper,entry,weight\n5,1,,,,2\n,,2,90,,4\n7,0,,,5,3\n100,1,,,,1\n", {});
  EXPECT_EQ(tables.numbers.total_weight, 2 + 4 + 3 + 3 + 1);
  StepTables steps(prc.arrays(), tables);
  ASSERT_EQ(steps.find(StepTables::kCounts), 0);
  ASSERT_EQ(steps.rungs.size(), 1u);
  EXPECT_EQ(steps.rungs[0].rate, 1);
  EXPECT_EQ(steps.rungs[0].num_steps, 100);
  std::vector<std::array<std::int64_t, 3>> windows;
  for (const StepWindow& window : steps.windows) windows.push_back({window.first, window.count, window.least_first});
  EXPECT_EQ(windows, (std::vector<std::array<std::int64_t, 3>>{{5, 1, 3}, {7, 1, 3}, {3, 88, 3}, {100, 1, 100}}));
  // Two rows: 1 - (0.5 - a / 4) - b / 2 and 1 - b.
  const double rates[] = {1, 0.5, 0.25};
  for (std::size_t v = 0; v < steps.exits.size(); ++v) {
    const StepExit& exit = steps.exits[v];
    double sum = 0;
    for (std::int64_t t = exit.term_begin; t < exit.term_end; ++t)
      sum += steps.exit_terms[t].coefficient * rates[steps.exit_terms[t].rate];
    const bool first = prc.arrays().state_of_row[v] == 0;
    EXPECT_EQ(sum, first ? 0.5 : 0.25);
    EXPECT_EQ(exit.num_edges, first ? 2 : 1);
  }
  EvaluatorOptions few;
  few.max_terms = 400;
  const LikelihoodTables long_ones = made("count\n2000000000000\n", {}), many = made("count\n100\n", few);
  EXPECT_EQ(StepTables(prc.arrays(), long_ones).find(StepTables::kCounts), StepTables::kTooLong);
  EXPECT_EQ(StepTables(prc.arrays(), many).find(StepTables::kCounts), StepTables::kTooLong);
}

TEST(StepTables, RefusesTooManySteps) {
  Made made(two_stages(), "time\n0.5\n1e3\n");
  EXPECT_EQ(made.steps.find(StepTables::rung_code(1e5)), StepTables::kTooLong);
  EXPECT_EQ(made.steps.find(StepTables::rung_code(1e5)), StepTables::kTooLong);
  EXPECT_EQ(made.steps.find(StepTables::rung_code(1)), 0);
  EXPECT_EQ(made.steps.find(StepTables::rung_code(2)), 1);
  EXPECT_EQ(made.steps.find(StepTables::rung_code(1)), 0);
  EXPECT_GT(made.steps.work(made.steps.rungs[1]), made.steps.work(made.steps.rungs[0]));
  made.steps.forget();
  EXPECT_EQ(made.steps.find(StepTables::rung_code(2)), 0);
  EvaluatorOptions few;
  few.max_terms = 100;
  Made small(two_stages(), "time\n0.5\n1e3\n", few);
  EXPECT_EQ(small.steps.find(StepTables::rung_code(1)), StepTables::kTooLong);
}

}  // namespace
}  // namespace sojourn
