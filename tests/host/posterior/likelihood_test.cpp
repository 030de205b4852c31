#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "posterior/law_support.hpp"
#include "posterior_cases.hpp"

namespace sojourn {
namespace {

using namespace cases;

/// A law value is certified to 1e-9 relative, so each unit of weight adds at most 1e-9 to a log likelihood; an interval
/// or a truncation reads two values, and the intervals below magnify errors less than tenfold.
constexpr double kPerWeight = 2e-8;
/// Gradients of log values are held to the same relative accuracy against the size of their parts; those are of order
/// (stages + rate t) / rate, at most 100 here away from the far tail.
constexpr double kGradient = 1e-7;

double total_weight(const Observations& data) {
  double sum = 0;
  for (const Observation& item : data.items) sum += item.weight;
  return sum;
}

void expect_erlang(int stages, const Observations& data, double rate, double scale = 1) {
  const Posterior posterior = make_posterior(erlang(stages), data, {{"rate", Prior(PriorFamily::kGamma, 2, 1)}});
  const Evaluation got = log_likelihood(posterior, {{rate}});
  const ValueAndSlope truth = complex_step([&](Complex r) { return erlang_log_likelihood(stages, r, data); }, rate);
  EXPECT_EQ(got.status[0], "");
  EXPECT_NEAR(got.value[0], truth.value, scale * kPerWeight * total_weight(data));
  EXPECT_NEAR(got.gradient(0, 0), truth.slope, scale * kGradient * total_weight(data) * (1 + std::abs(truth.slope)));
}

TEST(Likelihood, ErlangEveryKindOfObservation) {
  const std::pair<const char*, const char*> kinds[] = {
      {"exact", "time\n0.3\n1.7\n6\n"},
      {"weighted", "time,weight\n0.3,2.5\n1.7,10\n"},
      {"right-censored", "time,event\n0.4,0\n2.5,0\n"},
      {"interval", "lower,upper\n0.5,0.9\n2,4\n0.1,7\n"},
      {"left-censored", "lower,upper\n,0.9\n,4\n"},
      {"truncated", "time,entry\n2,1\n5,0.2\n"},
      {"truncated and censored", "time,event,entry\n2,0,1\n5,1,0.2\n"},
      {"truncated interval", "lower,upper,entry\n2,3,1\n,4,2\n3,,1.5\n"},
      {"all",
       "time,event,lower,upper,entry,weight\n1,1,,,,2\n2,0,,,,1\n,,1,2,,3\n,,,2,,1\n3,1,,,1.5,1\n,,2.5,,2,0.5\n"}};
  for (const int stages : {1, 3, 8}) {
    for (const auto& [name, csv] : kinds) {
      SCOPED_TRACE(std::string(name) + ", stages " + std::to_string(stages));
      for (const double rate : {0.7, 2.0}) expect_erlang(stages, times(csv), rate);
    }
  }
}

TEST(Likelihood, IntervalsSubtractFromTheSmallerTail) {
  // P of the first is about 1e-31 and of the second about 1e-60: the wrong tail would leave no digit of either.
  expect_erlang(5, times("lower,upper\n1e-6,2e-6\n"), 1.3);
  expect_erlang(5, times("lower,upper\n70,72\n"), 2.0);
}

TEST(Likelihood, FarTailsStayFinite) {
  // log f = -2000: exp of it is zero in double precision; log(p + eps) would answer -36.
  const Posterior posterior =
      make_posterior(erlang(1), times("time\n2000\n"), {{"rate", Prior(PriorFamily::kGamma, 2, 1)}});
  const Evaluation got = log_likelihood(posterior, {{1.0}});
  EXPECT_EQ(got.status[0], "");
  EXPECT_NEAR(got.value[0], -2000, 1e-6);
  EXPECT_NEAR(got.gradient(0, 0), 1 - 2000, 1e-5);
  // A relative error of 1e-9 in the law's rate moves a log value of -2000 by 2e-6, a hundred times the usual tolerance.
  expect_erlang(3, times("time\n2000\n"), 1.0, 100);
  expect_erlang(3, times("time,event\n2000,0\n"), 1.0, 100);
  expect_erlang(3, times("lower,upper\n2000,2001\n"), 1.0, 100);
  expect_erlang(8, times("time\n1e-60\n"), 1.0, 100);
}

TEST(Likelihood, MergedRowsEqualUnmergedOnes) {
  const Observations merged = times("time,event\n1,1\n2,0\n1,1\n1,1\n2,0\n0.5,1\n");
  ASSERT_EQ(merged.items.size(), 3u);
  Observations unmerged = merged;
  unmerged.items.clear();
  for (const Observation& item : merged.items) {
    Observation single = item;
    single.weight = 1;
    for (int i = 0; i < static_cast<int>(item.weight); ++i) unmerged.items.push_back(single);
  }
  ASSERT_EQ(unmerged.items.size(), 6u);
  unmerged.first_row.clear();
  const std::map<std::string, Prior> priors = {{"rate", Prior(PriorFamily::kGamma, 2, 1)}};
  const Evaluation a = log_likelihood(make_posterior(erlang(2), merged, priors), {{0.4}, {1.3}});
  const Evaluation b = log_likelihood(make_posterior(erlang(2), unmerged, priors), {{0.4}, {1.3}});
  // The same points and weights reach the law either way, so even the bits agree.
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.gradient.values(), b.gradient.values());
}

TEST(Likelihood, WeightsAreRepetitions) {
  const std::map<std::string, Prior> priors = {{"rate", Prior(PriorFamily::kGamma, 2, 1)}};
  const auto at = [&](const std::string& csv) {
    return log_likelihood(make_posterior(erlang(2), times(csv), priors), {{0.9}});
  };
  const Evaluation a = at("lower,upper,weight\n1,2,3\n4,,2\n,1,1\n");
  const Evaluation b = at("lower,upper\n1,2\n4,\n1,2\n,1\n4,\n1,2\n");
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.gradient.values(), b.gradient.values());
}

TEST(Likelihood, DensityAtZeroOfAnExponential) { expect_erlang(1, times("time\n0\n0\n1\n"), 1.7); }

TEST(Likelihood, AtomOfAStartDefect) {
  // With probability 0.3 the chain is absorbed at once; else after an exponential time of rate r.
  Model model =
      make_model(TimeKind::kContinuous, 2, {{0, 0.7}}, {{0, 1, 0, {{0, 1.0}}}}, {{"rate"}}, RateMap::identity(1));
  const Observations data =
      times("time,event,lower,upper,weight\n0,1,,,2\n0.5,1,,,1\n2,0,,,1\n,,0,1,1\n,,,1,1\n0,0,,,1\n");
  const Posterior posterior = make_posterior(std::move(model), data, {{"rate", Prior(PriorFamily::kGamma, 2, 1)}});
  const double rate = 1.4;
  const ValueAndSlope truth = complex_step(
      [](Complex r) {
        const auto survival = [&](long double t) { return 0.7L * std::exp(-r * t); };
        return 2.0L * std::log(Complex(0.3L)) + std::log(0.7L * r) - 0.5L * r + std::log(survival(2)) +
               std::log(survival(0) - survival(1)) + std::log(1.0L - survival(1)) + std::log(survival(0));
      },
      rate);
  const Evaluation got = log_likelihood(posterior, {{rate}});
  EXPECT_EQ(got.status[0], "");
  EXPECT_NEAR(got.value[0], truth.value, 8 * kPerWeight);
  EXPECT_NEAR(got.gradient(0, 0), truth.slope, 8 * kGradient);
}

TEST(Likelihood, AtomOfZeroRewardStates) {
  // State 0 earns nothing: to absorption at rate a, to state 1 at rate b, which is left at rate 2 b.
  Model model = make_model(TimeKind::kContinuous, 3, {{0, 1.0}},
                           {{0, 2, 0, {{0, 1.0}}}, {0, 1, 0, {{1, 1.0}}}, {1, 2, 0, {{1, 2.0}}}}, {{"a"}, {"b"}},
                           RateMap::identity(2));
  const std::map<std::string, Prior> priors = {{"a", Prior(PriorFamily::kGamma, 2, 1)},
                                               {"b", Prior(PriorFamily::kLognormal, 0, 1)}};
  const std::vector<double> reward = {0, 1, 0};
  const Posterior posterior(std::move(model), times("time,event\n0,1\n0.8,1\n1.5,0\n"), priors, {}, reward);
  const auto truth = [](Complex a, Complex b) {
    return std::log(a / (a + b)) + std::log(b / (a + b) * 2.0L * b) - 1.6L * b + std::log(b / (a + b)) - 3.0L * b;
  };
  const double a = 0.6, b = 1.1;
  const ValueAndSlope by_a = complex_step([&](Complex x) { return truth(x, b); }, a);
  const ValueAndSlope by_b = complex_step([&](Complex x) { return truth(a, x); }, b);
  const Evaluation got = log_likelihood(posterior, {{a, b}});
  EXPECT_EQ(got.status[0], "");
  EXPECT_NEAR(got.value[0], by_a.value, 3 * kPerWeight);
  EXPECT_NEAR(got.gradient(0, 0), by_a.slope, 3 * kGradient);
  EXPECT_NEAR(got.gradient(0, 1), by_b.slope, 10 * kGradient);
}

/// Probability mass of the n-th trial being the k-th success.
Complex binomial_mass(int stages, Complex p, int n) {
  if (n < stages) return 0;
  long double choose = 1;
  for (int j = 1; j < stages; ++j) choose *= static_cast<long double>(n - j) / j;
  return choose * std::pow(p, stages) * std::pow(1.0L - p, n - stages);
}

TEST(Likelihood, NegativeBinomialEveryKindOfObservation) {
  const int stages = 3;
  const double p = 0.35;
  const auto mass = [&](Complex q, int first, int last) {
    Complex sum = 0;
    for (int n = first; n <= last; ++n) sum += binomial_mass(stages, q, n);
    return sum;
  };
  const Posterior posterior = make_posterior(
      negative_binomial(stages),
      counts("count,event,lower,upper,entry,weight\n3,1,,,,2\n9,1,,,,1\n6,0,,,,1\n,,4,8,,1\n,,5,200,,1\n,,,4,,1\n"
             "12,1,,,5,1\n,,10,20,7,0.5\n"),
      {{"p", Prior(PriorFamily::kBeta, 2, 2)}});
  const ValueAndSlope truth = complex_step(
      [&](Complex q) {
        return 2.0L * std::log(binomial_mass(stages, q, 3)) + std::log(binomial_mass(stages, q, 9)) +
               std::log(mass(q, 7, 600)) + std::log(mass(q, 5, 8)) + std::log(mass(q, 6, 200)) +
               std::log(mass(q, 3, 4)) + std::log(binomial_mass(stages, q, 12)) - std::log(mass(q, 6, 600)) +
               0.5L * (std::log(mass(q, 11, 20)) - std::log(mass(q, 8, 600)));
      },
      p);
  const Evaluation got = log_likelihood(posterior, {{p}});
  EXPECT_EQ(got.status[0], "");
  EXPECT_NEAR(got.value[0], truth.value, 10 * kPerWeight);
  EXPECT_NEAR(got.gradient(0, 0), truth.slope, 10 * kGradient * (1 + std::abs(truth.slope)));
}

TEST(Likelihood, TooNarrowAnIntervalIsFlagged) {
  const Posterior posterior = make_posterior(erlang(2), times("time,lower,upper\n1,,\n,1,1.0000000000000002\n"),
                                             {{"rate", Prior(PriorFamily::kGamma, 2, 1)}});
  const Evaluation got = log_likelihood(posterior, {{1.0}});
  EXPECT_TRUE(std::isnan(got.value[0]));
  EXPECT_THAT(got.status[0], testing::HasSubstr("t.csv: row 3"));
  EXPECT_THAT(got.status[0], testing::HasSubstr("too narrow"));
}

TEST(LawSupport, FromTheStructure) {
  const auto of = [](const Model& model) { return law_support(model.graph, model.graph.unit_reward()); };
  EXPECT_TRUE(of(erlang(1)).density_at_zero);
  EXPECT_FALSE(of(erlang(1)).atom);
  EXPECT_FALSE(of(erlang(2)).density_at_zero);
  EXPECT_EQ(of(negative_binomial(4)).least_count, 4);
  const Model atom = make_model(TimeKind::kContinuous, 2, {{0, 0.5}}, {{0, 1, 1, {}}}, {}, RateMap::identity(0));
  EXPECT_TRUE(of(atom).atom);
  EXPECT_FALSE(of(atom).density_at_zero);
  // A rewarded state that leads to absorption through a state without reward has a density at zero all the same.
  const Model through =
      make_model(TimeKind::kContinuous, 3, {{0, 1.0}}, {{0, 1, 1, {}}, {1, 2, 1, {}}}, {}, RateMap::identity(0));
  EXPECT_TRUE(law_support(through.graph, std::vector<double>{1, 0, 0}).density_at_zero);
  EXPECT_TRUE(law_support(through.graph, std::vector<double>{0, 1, 0}).density_at_zero);
  EXPECT_FALSE(law_support(through.graph, std::vector<double>{1, 1, 0}).density_at_zero);
}

}  // namespace
}  // namespace sojourn
