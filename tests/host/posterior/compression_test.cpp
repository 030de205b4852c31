#include "posterior/compression.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "common/random.hpp"
#include "posterior_cases.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"
#include "sojourn/sample.hpp"

namespace sojourn {
namespace {

using namespace cases;

/// What the log likelihood is held to, relative; an accepted error estimate stays below it.
constexpr double kValue = 1e-9;
/// The same for gradients, relative to the sum of the sizes of the observations' parts.
constexpr double kSlope = 1e-8;

Observations exact_times(const std::vector<double>& times) {
  Observations data = exact_observations(times, TimeKind::kContinuous, "t.csv");
  for (std::int64_t& row : data.first_row) ++row;  // as below a header
  return data;
}

Observations drawn_from(const Model& model, const std::vector<double>& theta, std::int64_t count) {
  const Matrix<double> draws = sample(model, theta, {model.graph.unit_reward()}, count, /*seed=*/7, 1);
  return exact_times(draws.values());
}

struct Pair {
  Evaluation exact, compressed;
  CompressionReport report;
};

Pair evaluate_both(const Model& model, const Observations& data, const Matrix<double>& theta) {
  Pair pair;
  for (const DataCompression mode : {DataCompression::kOff, DataCompression::kAuto}) {
    const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1}, mode);
    Evaluation& out = mode == DataCompression::kOff ? pair.exact : pair.compressed;
    out = {std::vector<double>(theta.num_rows()), Matrix<double>(theta.num_rows(), theta.num_cols()), {}};
    likelihood.evaluate(theta.view(), out.value, out.gradient.view(), out.status);
    pair.report = likelihood.compression();
  }
  return pair;
}

/// Parameters about `centre`, log-normal.
Matrix<double> scattered(const std::vector<double>& centre, double spread, std::size_t count) {
  Matrix<double> theta(count, centre.size());
  for (std::size_t k = 0; k < count; ++k) {
    PhiloxStream random(3, kStreamInitial, k);
    for (std::size_t p = 0; p < centre.size(); ++p) theta(k, p) = centre[p] * std::exp(spread * random.next_normal());
  }
  return theta;
}

TEST(Compression, MatchesTheExactSumOverRandomParameters) {
  struct Case {
    std::string name;
    Model model;
    std::vector<double> centre;
    double spread;
    std::int64_t count;
    bool always_compressed;  ///< whether no parameter vector may need the exact sum
  };
  const std::vector<std::int32_t> samples{2, 2};
  const std::vector<double> mixing{0.3, 0.7};
  std::vector<Case> all;
  all.push_back({"coalescent", coalescent_lineages(7), {1.0}, 0.5, 1000, true});
  all.push_back({"coxian", coxian(4), {2, 1, 0.5, 0.3, 0.4, 0.6, 1}, 0.5, 20'000, true});
  all.push_back({"erlang", sojourn::erlang(5), {2.0}, 0.5, 1000, true});
  all.push_back({"two scales", hyperexponential(mixing), {1e4, 1}, 0.5, 5000, true});
  all.push_back({"two demes, slow migration", structured_coalescent(samples), {1, 1, 1e-3, 2e-3}, 0.5, 2000, false});
  for (const Case& one : all) {
    SCOPED_TRACE(one.name);
    const Observations data = drawn_from(one.model, one.centre, one.count);
    const Pair pair = evaluate_both(one.model, data, scattered(one.centre, one.spread, 24));
    ASSERT_FALSE(pair.report.level_points.empty());
    const auto weight = static_cast<double>(one.count);
    for (std::size_t k = 0; k < pair.exact.value.size(); ++k) {
      ASSERT_EQ(pair.exact.status[k], "");
      ASSERT_EQ(pair.compressed.status[k], "");
      EXPECT_NEAR(pair.compressed.value[k], pair.exact.value[k],
                  kValue * std::max(std::abs(pair.exact.value[k]), 1e-3 * weight));
      // A derivative of log f by log theta is of the order of one an observation, or of f's own logarithm.
      for (std::size_t p = 0; p < one.centre.size(); ++p) {
        const double theta = one.centre[p];
        EXPECT_NEAR(theta * pair.compressed.gradient(k, p), theta * pair.exact.gradient(k, p),
                    kSlope * std::max(weight, std::abs(pair.exact.value[k])));
      }
    }
    if (one.always_compressed) {
      EXPECT_EQ(pair.report.num_exact, 0);
    }
    EXPECT_LE(pair.report.worst_error, kValue);
    std::string levels;
    for (std::size_t l = 0; l < pair.report.level_points.size(); ++l)
      levels += std::to_string(pair.report.level_count[l]) + " at " + std::to_string(pair.report.level_points[l]) + " ";
    RecordProperty(one.name, levels + "exact " + std::to_string(pair.report.num_exact));
  }
}

TEST(Compression, AMillionErlangTimesAgainstTheClosedForm) {
  const Model model = sojourn::erlang(5);
  const Observations data = drawn_from(model, {2.0}, 1'000'000);
  const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1});
  const Matrix<double> theta = scattered({2.0}, 0.4, 8);
  Evaluation got{std::vector<double>(8), Matrix<double>(8, 1), {}};
  likelihood.evaluate(theta.view(), got.value, got.gradient.view(), got.status);
  long double sum_log = 0, sum = 0;
  for (const Observation& item : data.items) {
    sum_log += std::log(static_cast<long double>(item.lower));
    sum += item.lower;
  }
  const long double count = 1e6L;
  for (std::size_t k = 0; k < 8; ++k) {
    const long double rate = theta(k, 0);
    const long double value = count * (5 * std::log(rate) - std::lgamma(5.0L)) + 4 * sum_log - rate * sum;
    const long double slope = 5 * count / rate - sum;
    EXPECT_EQ(got.status[k], "");
    EXPECT_NEAR(got.value[k], static_cast<double>(value), kValue * std::abs(static_cast<double>(value)));
    EXPECT_NEAR(got.gradient(k, 0), static_cast<double>(slope), kSlope * static_cast<double>(5 * count / rate + sum));
  }
  EXPECT_EQ(likelihood.compression().num_exact, 0);
  EXPECT_LE(likelihood.compression().level_points[0], 150);
}

TEST(Compression, EveryKindOfObservation) {
  // Erlang laws again, whose closed forms know every kind: 40 intervals stay exact among 600 points that do not.
  std::string csv = "time,event,lower,upper,entry,weight\n";
  for (int i = 1; i <= 200; ++i) {
    const double t = 0.02 * i + 0.003 * (i % 7);
    csv += fmt::format("{},1,,,,{}\n{},0,,,,1\n,,,{},,0.5\n{},1,,,{},1\n", t, 1 + i % 3, 1.01 * t, 1.02 * t, 1.5 * t,
                       0.4 * t);
    if (i % 5 == 0) csv += fmt::format(",,{},{},,2\n", 0.9 * t, 1.3 * t);
  }
  const Observations data = times(csv);
  for (const int stages : {1, 3}) {
    const Model model = cases::erlang(stages);
    const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1});
    for (const double rate : {0.7, 2.0}) {
      const ValueAndSlope truth = complex_step([&](Complex r) { return erlang_log_likelihood(stages, r, data); }, rate);
      const Matrix<double> theta(1, 1, rate);
      Evaluation got{std::vector<double>(1), Matrix<double>(1, 1), {}};
      likelihood.evaluate(theta.view(), got.value, got.gradient.view(), got.status);
      EXPECT_EQ(got.status[0], "");
      EXPECT_NEAR(got.value[0], truth.value, kValue * std::abs(truth.value));
      EXPECT_NEAR(got.gradient(0, 0), truth.slope, kSlope * 1000);
    }
    EXPECT_EQ(likelihood.compression().num_exact, 0);
    EXPECT_LT(likelihood.compression().level_points[0], 350);
  }
}

/// log of sum_i p_i r_i exp(-r_i t).
long double log_mixture(const std::vector<double>& p, const std::vector<double>& r, long double t) {
  long double largest = -INFINITY, sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) largest = std::max(largest, std::log(1.0L * p[i] * r[i]) - r[i] * t);
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(std::log(1.0L * p[i] * r[i]) - r[i] * t - largest);
  return largest + std::log(sum);
}

TEST(Compression, TheEstimateIsNotExceededOverRandomMixtures) {
  // Mixtures of two to four exponentials with scales up to 1e6 apart, on data that need not come from them: the
  // estimate has to see every bend that the nodes do not resolve.
  int num_accepted = 0, num_refused = 0;
  for (const double decades : {1.0, 3.0, 7.0}) {
    PhiloxStream spread(11, kStreamInitial, static_cast<std::uint64_t>(decades));
    std::vector<double> values;
    for (int i = 0; i < 1500; ++i) values.push_back(std::pow(10.0, -decades * spread.next_uniform() + 0.5));
    const Likelihood exact(exact_times(values), {}, TimeKind::kContinuous);
    LawSupport support;
    support.density_at_zero = true;
    support.least_count = support.least_earning_steps = 1;
    for (const CompressionShape& shape : kCompressionShapes) {
      const auto compressed = CompressedLikelihood::make(exact, support, TimeKind::kContinuous, shape);
      if (!compressed) continue;
      const auto& points = compressed->likelihood().points();
      const std::vector<double> none(points.size(), 0);
      for (std::uint64_t trial = 0; trial < 150; ++trial) {
        PhiloxStream random(12, kStreamInitial, trial);
        std::vector<double> p, r;
        const int count = 2 + static_cast<int>(trial % 3);
        for (int i = 0; i < count; ++i) {
          p.push_back(std::exp(3 * random.next_normal()));
          r.push_back(std::pow(10.0, decades * random.next_uniform() - 1));
        }
        long double truth = 0, size = 0;
        for (const double t : values) {
          const long double value = log_mixture(p, r, t);
          truth += value;
          size += std::abs(value);
        }
        std::vector<double> log_density;
        for (const LawPoint& point : points) log_density.push_back(static_cast<double>(log_mixture(p, r, point.value)));
        std::vector<double> by(points.size());
        LikelihoodReport report;
        const double value = compressed->likelihood().evaluate(log_density, none, none, by, by, by, report);
        const double estimate = compressed->error_estimate(log_density, none, none);
        const auto error = static_cast<double>(std::abs(value - truth));
        // 1e-14: rounding of the values at the nodes.
        EXPECT_LE(error, estimate + 1e-14 * static_cast<double>(size)) << "decades " << decades << ", trial " << trial;
        (estimate <= kValue * std::abs(value) ? num_accepted : num_refused) += 1;
      }
    }
  }
  EXPECT_GT(num_accepted, 200);
  EXPECT_GT(num_refused, 200);
}

TEST(Compression, ABendBetweenNodesIsSeen) {
  std::vector<double> values(2000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::exp(-1 + 3.0 * static_cast<double>(i) / 2000);
  const Likelihood exact(exact_times(values), {}, TimeKind::kContinuous);
  const auto compressed = CompressedLikelihood::make(exact, {}, TimeKind::kContinuous, kCompressionShapes[0]);
  ASSERT_TRUE(compressed);
  const auto& points = compressed->likelihood().points();
  const std::vector<double> none(points.size(), 0);
  std::vector<double> by(points.size());
  LikelihoodReport report;
  int num_refused = 0;
  for (int i = 0; i < 200; ++i) {
    const auto law = [corner = -0.9 + 0.0137 * i](double t) { return -std::abs(std::log(t) - corner); };
    std::vector<double> log_density;
    for (const LawPoint& point : points) log_density.push_back(law(point.value));
    const double truth =
        std::accumulate(values.begin(), values.end(), 0.0, [&](double sum, double t) { return sum + law(t); });
    const double value = compressed->likelihood().evaluate(log_density, none, none, by, by, by, report);
    const double estimate = compressed->error_estimate(log_density, none, none);
    // 1e-12: rounding of both sums. A corner in the gap between two pieces' observations is no error.
    EXPECT_LE(std::abs(value - truth), estimate + 1e-12 * std::abs(truth)) << i;
    num_refused += estimate > kValue * std::abs(truth);
  }
  EXPECT_GT(num_refused, 190);
  std::vector<double> broken(points.size(), 0);
  broken[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(compressed->error_estimate(broken, none, none), kInfinity);
}

TEST(Compression, FewPointsCountsAndOffStayExact) {
  const Model model = sojourn::erlang(2);
  std::vector<double> few(50);
  std::iota(few.begin(), few.end(), 1);
  const std::vector<double> reward = model.graph.unit_reward();
  EXPECT_TRUE(DataLikelihood(model, exact_times(few), reward).compression().level_points.empty());
  const Observations many = drawn_from(model, {1.0}, 500);
  EXPECT_FALSE(DataLikelihood(model, many, reward).compression().level_points.empty());
  EXPECT_TRUE(DataLikelihood(model, many, reward, {}, DataCompression::kOff).compression().level_points.empty());
  std::string csv = "count\n";
  for (int i = 2; i < 400; ++i) csv += std::to_string(i) + "\n";
  const Model discrete = negative_binomial(2);
  EXPECT_TRUE(DataLikelihood(discrete, counts(csv), discrete.graph.unit_reward()).compression().level_points.empty());
  EXPECT_EQ(data_compression_from("off"), DataCompression::kOff);
  EXPECT_EQ(data_compression_from(to_string(DataCompression::kAuto)), DataCompression::kAuto);
  EXPECT_THROW((void)data_compression_from("on"), UsageError);
}

TEST(Compression, NeitherBatchNorThreadsChangeTheBits) {
  const Model model = coxian(3);
  const Observations data = drawn_from(model, {2, 1, 0.3, 0.4, 1}, 1000);
  const Matrix<double> theta = scattered({2, 1, 0.3, 0.4, 1}, 1.0, 40);
  std::vector<double> first;
  for (const int threads : {1, 2, 5}) {
    const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = threads});
    std::vector<double> value(40);
    std::vector<std::string> status;
    likelihood.evaluate(theta.view(), value, {}, status);
    if (first.empty()) first = value;
    EXPECT_EQ(value, first);
    Matrix<double> one(1, 5);
    for (std::size_t k = 0; k < 40; k += 13) {
      std::copy(theta.row(k).begin(), theta.row(k).end(), one.row(0).begin());
      std::vector<double> alone(1);
      likelihood.evaluate(one.view(), alone, {}, status);
      EXPECT_EQ(alone[0], first[k]);
    }
  }
}

TEST(Compression, NamesAnImpossibleRow) {
  // Absorption never happens at rate 0.
  const Model model = sojourn::erlang(2);
  const Observations data = drawn_from(model, {1.0}, 500);
  const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1});
  std::vector<double> value(1);
  std::vector<std::string> status;
  likelihood.evaluate(Matrix<double>(1, 1, 0.0).view(), value, {}, status);
  EXPECT_EQ(value[0], -kInfinity);
  EXPECT_THAT(status[0], testing::HasSubstr("t.csv: row 2"));
  EXPECT_THAT(status[0], testing::HasSubstr("zero density"));
}

TEST(LawSupport, CountsTheStepsThatEarn) {
  EXPECT_EQ(law_support(cases::erlang(4).graph, cases::erlang(4).graph.unit_reward()).least_earning_steps, 4);
  // From state 0, which earns nothing, to absorption at once, or through states 1 and 2.
  const Model model =
      make_model(TimeKind::kContinuous, 4, {{0, 1.0}}, {{0, 3, 1, {}}, {0, 1, 1, {}}, {1, 2, 1, {}}, {2, 3, 1, {}}}, {},
                 RateMap::identity(0));
  const LawSupport support = law_support(model.graph, std::vector<double>{0, 1, 1, 0});
  EXPECT_TRUE(support.atom);
  EXPECT_EQ(support.least_earning_steps, 2);
}

}  // namespace
}  // namespace sojourn
