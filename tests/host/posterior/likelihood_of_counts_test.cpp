// Likelihoods of laws in discrete time on a device, in a host loop over its threads, against closed forms and powers of
// dense matrices in long double.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "host/evaluation/shuffled_lanes.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "oracle/dense.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using namespace cases;
using ::testing::HasSubstr;

/// Exact counts, tails on either side, short and long intervals one in the other, late entry, weights.
const char* const kCounts =
    "count,event,lower,upper,entry,weight\n3,1,,,,2\n1,1,,,,1\n17,1,,,,1\n40,1,,,,1\n6,0,,,,3\n,,2,9,,1\n,,0,1,,2\n"
    ",,,8,,1\n11,1,,,4,1\n,,12,150,,2\n,,7,30,2,1\n25,0,,,3,1\n";

Observations counts(std::string_view csv) { return parse_observations(csv, "counts.csv", TimeKind::kDiscrete); }

/// The mass of n and P(Y > n) of a law.
using Mass = std::function<long double(std::int64_t)>;

long double log_likelihood_of(const Observations& data, const Mass& mass, const Mass& survival) {
  long double sum = 0;
  for (const Observation& item : data.items) {
    long double term = 0;
    const auto masses = [&](double first, double last) {
      long double all = 0;
      for (auto n = static_cast<std::int64_t>(first); n <= static_cast<std::int64_t>(last); ++n) all += mass(n);
      return std::log(all);
    };
    if (item.left_censored) {
      term = masses(0, item.upper);
    } else if (item.right_censored()) {
      term = std::log(survival(static_cast<std::int64_t>(item.lower)));
    } else if (!item.exact()) {
      term = masses(item.lower + 1, item.upper);
    } else {
      term = std::log(mass(static_cast<std::int64_t>(item.lower)));
    }
    if (item.entry > 0) term -= std::log(survival(static_cast<std::int64_t>(item.entry)));
    sum += item.weight * term;
  }
  return sum;
}

/// d f / d x by differences of sixth order of long doubles.
double slope_of(const std::function<long double(long double)>& f, double at) {
  const long double h = static_cast<long double>(at < 0.5 ? at : 1 - at) / 1024, weights[] = {45, -9, 1};
  long double slope = 0;
  for (int k = 1; k <= 3; ++k) slope += weights[k - 1] * (f(at + k * h) - f(at - k * h));
  return static_cast<double>(slope / (60 * h));
}

/// Values and derivatives of one parameter vector, all of it by steps on the device.
Evaluation by_counts(const Model& model, const Observations& data, const Matrix<double>& theta, double& bound) {
  DataLikelihood likelihood(model, data, model.graph.unit_reward());
  likelihood.use_device(testing::suite_likelihoods());
  const Evaluation got = evaluate_at(likelihood, theta);
  const DeviceReport report = likelihood.device_report();
  const auto count = static_cast<std::int64_t>(theta.num_rows());
  EXPECT_EQ(report.num_served, count) << report.num_uncertified << " " << report.num_in_doubt;
  EXPECT_EQ(report.num_by_steps, count);
  EXPECT_GT(likelihood.route_counts().stepping, 0);
  EXPECT_EQ(likelihood.route_counts().uniformization, 0);
  bound = likelihood.route_counts().worst_error_bound;
  return got;
}

Matrix<double> rows_of(std::initializer_list<std::initializer_list<double>> rows) {
  Matrix<double> matrix(rows.size(), rows.begin()->size());
  std::size_t k = 0;
  for (const auto& row : rows) std::ranges::copy(row, matrix.row(k++).begin());
  return matrix;
}

TEST(LikelihoodOfCounts, KnowsTheGeometricLaw) {
  const Observations data = counts(kCounts);
  const Matrix<double> theta = rows_of({{0.3}, {0.02}, {0.85}});
  double bound = 0;
  const Evaluation got = by_counts(negative_binomial(1), data, theta, bound);
  EXPECT_LT(bound, 1e-11);
  double weight = 0;
  for (const Observation& item : data.items) weight += item.weight;
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    const auto exact = [&](long double p) {
      return log_likelihood_of(
          data, [&](std::int64_t n) { return n == 0 ? 0.0L : p * std::pow(1 - p, static_cast<long double>(n - 1)); },
          [&](std::int64_t n) { return std::pow(1 - p, static_cast<long double>(n)); });
    };
    const double p = theta(k, 0);
    EXPECT_NEAR(got.value[k], static_cast<double>(exact(p)), 2 * weight * bound + 1e-14 * std::abs(got.value[k])) << p;
    const double slope = slope_of(exact, p);
    EXPECT_NEAR(got.gradient(k, 0), slope, 1e-11 * (std::abs(slope) + weight / p)) << p;
  }
}

TEST(LikelihoodOfCounts, KnowsTheNegativeBinomialLaw) {
  // Five successes cannot come in fewer trials: tails of 1, with nothing below them, are among the data.
  const Observations data =
      counts("count,event,lower,upper,entry\n5,1,,,\n9,1,,,2\n60,1,,,\n20,0,,,\n3,0,,,\n,,4,7,\n,,,6,\n,,10,200,\n");
  const Matrix<double> theta = rows_of({{0.25}, {0.6}});
  double bound = 0;
  const Evaluation got = by_counts(negative_binomial(5), data, theta, bound);
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    const auto exact = [&](long double p) {
      const Mass mass = [&](std::int64_t n) -> long double {
        if (n < 5) return 0;
        const auto m = static_cast<long double>(n);
        return (m - 1) * (m - 2) * (m - 3) * (m - 4) / 24 * std::pow(p, 5.0L) * std::pow(1 - p, m - 5);
      };
      const Mass survival = [&](std::int64_t n) {
        long double sum = 0;
        for (std::int64_t later = n + 1; later < n + 3000; ++later) sum += mass(later);
        return sum;
      };
      return log_likelihood_of(data, mass, survival);
    };
    const double p = theta(k, 0), slope = slope_of(exact, p);
    EXPECT_NEAR(got.value[k], static_cast<double>(exact(p)), 14 * bound + 1e-14 * std::abs(got.value[k])) << p;
    EXPECT_NEAR(got.gradient(k, 0), slope, 1e-11 * (std::abs(slope) + 7 / p)) << p;
  }
}

/// A cycle with ways out, an atom, a start in two states, and a state that is left for certain.
Model cyclic() {
  return make_model(TimeKind::kDiscrete, 5, {{0, 0.6}, {2, 0.3}, {4, 0.1}},
                    {{0, 1, 0, {{0, 1.0}}},
                     {1, 2, 0, {{1, 0.5}}},
                     {1, 4, 0.0625, {}},
                     {2, 3, 1, {}},
                     {3, 0, 0.25, {{1, 0.25}}},
                     {3, 4, 0, {{0, 0.5}, {1, 0.125}}}},
                    {{"a", 0, 1}, {"b", 0, 1}}, RateMap::identity(2));
}

/// A count of 1 cannot be there.
const char* const kCountsOfCycle =
    "count,event,lower,upper,entry,weight\n3,1,,,,2\n2,1,,,,1\n17,1,,,,1\n40,1,,,,1\n6,0,,,,3\n,,2,9,,1\n,,0,2,,2\n"
    ",,,8,,1\n11,1,,,4,1\n,,12,150,,2\n,,7,30,2,1\n25,0,,,3,1\n";

TEST(LikelihoodOfCounts, KnowsPowersOfDenseMatrices) {
  const Model model = cyclic();
  const std::string with_zero = std::string(kCountsOfCycle) + "0,1,,,,2\n,,,0,,1\n0,0,,,,1\n";
  const Observations data = counts(with_zero);
  double weight = 0;
  for (const Observation& item : data.items) weight += item.weight;
  const Matrix<double> theta = rows_of({{0.5, 0.25}, {0.9, 0.7}, {0.05, 0.99}, {0.3, 0.01}});
  double bound = 0;
  const Evaluation got = by_counts(model, data, theta, bound);
  EXPECT_LT(bound, 1e-12);
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    std::vector<double> phi(theta.row(k).begin(), theta.row(k).end());
    const auto exact = [&] {
      const oracle::DenseChain chain = oracle::dense_chain(model.graph, phi, model.graph.unit_reward());
      const auto law = [&](std::int64_t n) { return oracle::dense_law(chain, static_cast<double>(n)); };
      return log_likelihood_of(
          data, [&](std::int64_t n) { return law(n).density; }, [&](std::int64_t n) { return law(n).survival; });
    };
    EXPECT_EQ(got.status[k], "");
    EXPECT_NEAR(got.value[k], static_cast<double>(exact()), 2 * weight * bound + 1e-14 * std::abs(got.value[k])) << k;
    for (std::size_t p = 0; p < 2; ++p) {
      const double at = phi[p];
      // Parameters are doubles: the steps are what they round to.
      long double slope = 0;
      const double h = at / 1024;
      const long double weights[] = {45, -9, 1};
      for (int step = 1; step <= 3; ++step) {
        phi[p] = at + step * h;
        const long double right = exact(), far = phi[p];
        phi[p] = at - step * h;
        slope += weights[step - 1] * (right - exact()) * 2 * step * static_cast<long double>(h) /
                 (far - static_cast<long double>(phi[p]));
      }
      phi[p] = at;
      slope /= 60 * static_cast<long double>(h);
      EXPECT_NEAR(got.gradient(k, p), static_cast<double>(slope),
                  1e-9 * (std::abs(static_cast<double>(slope)) + weight))
          << k << " " << p;
    }
  }
}

TEST(LikelihoodOfCounts, AgreesWithTheCpuInAnyBatch) {
  const Model model = cyclic();
  const Observations data = counts(kCountsOfCycle);
  const DataLikelihood cpu(model, data, model.graph.unit_reward());
  DataLikelihood device(model, data, model.graph.unit_reward()), small(model, data, model.graph.unit_reward());
  device.use_device(testing::suite_likelihoods());
  small.use_device(testing::suite_likelihoods(60'000));
  Matrix<double> theta = scattered(std::vector<double>{0.4, 0.5}, 37, 0.3, 7);
  for (double& value : theta.values()) value = std::min(value, 0.99);
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta),
                   again = evaluate_at(small, theta);
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + 20));
    // Each of some 500 weighted steps adds a derivative of up to 1 / p or 1 / (1 - p), of both signs.
    for (std::size_t p = 0; p < 2; ++p) {
      const double terms = 500 / std::min(theta(k, p), 1 - theta(k, p));
      EXPECT_NEAR(got.gradient(k, p), wanted.gradient(k, p), 1e-13 * (std::abs(wanted.gradient(k, p)) + terms));
    }
  }
  EXPECT_EQ(got.value, again.value);
  EXPECT_EQ(got.gradient.values(), again.gradient.values());
  EXPECT_EQ(device.device_report().num_by_steps, 37);
}

/// The probability to stay in a state is what is left of 1, to its last digit.
TEST(LikelihoodOfCounts, KeepsEveryDigitOfARemainder) {
  const Model single = negative_binomial(1);
  double bound = 0;
  for (const double left : {1e-10, 1e-6, 0x1p-48}) {
    const double p = 1 - left;
    const Evaluation got = by_counts(single, counts("count\n6\n"), rows_of({{p}}), bound);
    EXPECT_LT(bound, 2e-13);
    EXPECT_NEAR(got.value[0], 5 * std::log(1 - p) + std::log(p), bound + 1e-15 * std::abs(got.value[0]));
    EXPECT_NEAR(got.gradient(0, 0) * (1 - p), -5 + (1 - p) / p, 1e-12);
  }
  // Of two weights, the second of which leaves 2^-30; the doubles' own sum is what counts.
  const Model two =
      make_model(TimeKind::kDiscrete, 3, {{0, 1.0}}, {{0, 1, 0, {{0, 1.0}}}, {0, 2, 0, {{1, 1.0}}}, {1, 2, 0.5, {}}},
                 {{"a", 0, 1}, {"b", 0, 1}}, RateMap::identity(2));
  const double a = 0.7, b = 0.3 - 0x1p-30;
  const Evaluation got = by_counts(two, counts("count\n1\n1\n2\n3\n"), rows_of({{a, b}}), bound);
  const long double stay = 1 - static_cast<long double>(a) - b, second = stay * b + 0.5L * a,
                    third = stay * stay * b + 0.5L * stay * a + 0.25L * a;
  EXPECT_NEAR(got.value[0],
              static_cast<double>(2 * std::log(static_cast<long double>(b)) + std::log(second) + std::log(third)),
              4 * bound);
}

/// What rounding alone may have left is no probability, there as on the CPU.
TEST(LikelihoodOfCounts, StaysNowhereByRounding) {
  const Model two = make_model(TimeKind::kDiscrete, 2, {{0, 1.0}}, {{0, 1, 0, {{0, 1.0}, {1, 1.0}}}},
                               {{"a", 0, 1}, {"b", 0, 1}}, RateMap::identity(2));
  for (const char* csv : {"count\n2\n", "count\n1\n"}) {
    const bool possible = csv[6] == '1';
    DataLikelihood device(two, counts(csv), two.graph.unit_reward());
    const DataLikelihood cpu(two, counts(csv), two.graph.unit_reward());
    device.use_device(testing::suite_likelihoods());
    // 0.7 + 0.3 falls short of 1 by a 2^-53, and 0.1 + 0.9 is above.
    const Matrix<double> theta = rows_of({{0.7, 0.3}, {0.1, 0.9}});
    const Evaluation got = evaluate_at(device, theta), wanted = evaluate_at(cpu, theta);
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(got.value[k], possible ? got.value[k] : -kInfinity);
      EXPECT_NEAR(std::exp(got.value[k]), possible ? 1 : 0, 1e-15);
      EXPECT_EQ(got.status[k], wanted.status[k]);
    }
    EXPECT_EQ(device.device_report().num_served, possible ? 2 : 0);
    EXPECT_EQ(device.device_report().num_uncertified, possible ? 0 : 2);
  }
}

TEST(LikelihoodOfCounts, CountsWhatItLeaves) {
  const Model model = cyclic();
  DataLikelihood likelihood(model, counts("count\n1000000000\n"), model.graph.unit_reward());
  likelihood.use_device(testing::suite_likelihoods());
  (void)evaluate_at(likelihood, rows_of({{0.5, 0.25}}));
  EXPECT_EQ(likelihood.device_report().num_many_steps, 1);
  // Exits of the last state sum to more than 1.
  DataLikelihood short_one(model, counts(kCountsOfCycle), model.graph.unit_reward());
  short_one.use_device(testing::suite_likelihoods());
  const Evaluation bad = evaluate_at(short_one, rows_of({{1.0, 1.9}}));
  EXPECT_EQ(short_one.device_report().num_bad_rates, 1);
  EXPECT_NE(bad.status[0], "");
  // Rewards other than a step each, and methods that are the CPU's.
  const std::vector<double> reward = {2, 1, 1, 1, 0};
  DataLikelihood rewarded(model, counts("count\n4\n"), reward);
  EXPECT_THROW(rewarded.use_device(testing::suite_likelihoods()), DeviceError);
}

}  // namespace
}  // namespace sojourn
