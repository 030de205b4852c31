// The bound that comes with each log likelihood is never exceeded, near its zeros and with intervals that magnify
// errors as well: against Erlang laws in long double.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "common/random.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "posterior_cases.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using namespace cases;

/// P(Y > t) of an Erlang law of three stages.
long double survival(long double rate, long double t) {
  const long double x = rate * t;
  return std::exp(-x) * (1 + x + x * x / 2);
}

/// P(Y <= t); the series has no cancellation where t is small.
long double cdf(long double rate, long double t) {
  const long double x = rate * t;
  if (x > 2) return 1 - survival(rate, t);
  long double term = x * x * x / 6, sum = 0;
  for (int k = 4; k < 60; ++k) {
    sum += term;
    term *= x / k;
  }
  return std::exp(-x) * sum;
}

long double truth(const Observations& data, long double rate) {
  long double sum = 0;
  for (const Observation& item : data.items) {
    const long double lower = item.lower, upper = item.upper;
    long double term = 0;
    if (item.left_censored) {
      term = std::log(cdf(rate, upper));
    } else if (item.right_censored()) {
      term = std::log(survival(rate, lower));
    } else if (!item.exact()) {
      const bool by_cdf = rate * lower < 2;
      term = std::log(by_cdf ? cdf(rate, upper) - cdf(rate, lower) : survival(rate, lower) - survival(rate, upper));
    } else {
      term = 3 * std::log(rate) + 2 * std::log(lower) - std::log(2.0L) - rate * lower;
    }
    if (item.entry > 0) term -= std::log(survival(rate, item.entry));
    sum += item.weight * term;
  }
  return sum;
}

/// Rates at which the log likelihood is small against its terms, from bisection, and others.
std::vector<double> rates_for(const Observations& data) {
  std::vector<double> rates{0.05, 0.3, 1, 2.5, 9};
  for (double low = 0.02; low < 20; low *= 1.1) {
    double a = low, b = 1.1 * low;
    if ((truth(data, a) > 0) == (truth(data, b) > 0)) continue;
    for (int k = 0; k < 60; ++k) {
      const double middle = 0.5 * (a + b);
      ((truth(data, middle) > 0) == (truth(data, a) > 0) ? a : b) = middle;
      if (k % 4 == 3) rates.push_back(middle);
    }
  }
  return rates;
}

/// How many bounds were looked at, and the largest part of one that its error takes.
struct Seen {
  int count = 0, near_zero = 0;
  double worst = 0;
};

void expect_bounds(const Observations& data, DataCompression mode, Seen& seen, bool on_device = false) {
  const Model model = sojourn::erlang(3);
  DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1}, mode);
  if (on_device) likelihood.use_device(testing::suite_likelihoods());
  const std::vector<double> rates = rates_for(data);
  Matrix<double> theta(rates.size(), 1);
  for (std::size_t k = 0; k < rates.size(); ++k) theta(k, 0) = rates[k];
  std::vector<double> value(rates.size()), bound(rates.size());
  std::vector<std::string> status;
  likelihood.evaluate(theta.view(), value, {}, status, bound);
  double total = 0;
  for (const Observation& item : data.items) total += item.weight;
  for (std::size_t k = 0; k < rates.size(); ++k) {
    if (std::isnan(value[k])) {
      EXPECT_TRUE(std::isnan(bound[k]));
      continue;
    }
    const auto error = static_cast<double>(std::abs(value[k] - truth(data, rates[k])));
    EXPECT_LE(error, bound[k]) << "rate " << rates[k] << ", log likelihood " << value[k];
    // Not a bound that says nothing: intervals here magnify errors 1,000 times at most.
    EXPECT_LT(bound[k], 2e-6 * total) << "rate " << rates[k];
    ++seen.count;
    seen.near_zero += std::abs(value[k]) < 1e-6 * total ? 1 : 0;
    seen.worst = std::max(seen.worst, error / bound[k]);
  }
  EXPECT_TRUE(!on_device || likelihood.device_report().num_served > 0);
}

/// Times whose log likelihood passes through zero somewhere: of a law of mean below one.
std::string times_csv(std::uint64_t seed, int count, bool all_kinds) {
  std::string csv = "time,event,lower,upper,entry,weight\n";
  PhiloxStream random(seed, kStreamInitial, 0);
  for (int i = 0; i < count; ++i) {
    double t = 0;
    for (int stage = 0; stage < 3; ++stage) t -= std::log(random.next_uniform()) / 12;
    const int kind = all_kinds ? i % 5 : 0;
    if (kind == 0) csv += fmt::format("{:.17g},1,,,,{}\n", t, 1 + i % 3);
    if (kind == 1) csv += fmt::format("{:.17g},0,,,,1\n", t);
    if (kind == 2) csv += fmt::format(",,,{:.17g},,0.5\n", t);
    if (kind == 3) csv += fmt::format(",,{:.17g},{:.17g},,2\n", t, t * (1 + (i % 2 == 0 ? 0.5 : 0.002)));
    if (kind == 4) csv += fmt::format("{:.17g},1,,,{:.17g},1\n", t, 0.4 * t);
  }
  return csv;
}

TEST(LikelihoodErrorBound, IsNotExceededNearZeroOrByNarrowIntervals) {
  Seen seen;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    for (const int count : {7, 60, 2000}) {
      for (const bool all_kinds : {false, true}) {
        SCOPED_TRACE(fmt::format("seed {}, {} observations{}", seed, count, all_kinds ? " of all kinds" : ""));
        const Observations data = times(times_csv(seed, count, all_kinds));
        for (const DataCompression mode : {DataCompression::kOff, DataCompression::kAuto})
          expect_bounds(data, mode, seen);
      }
    }
  }
  EXPECT_GT(seen.count, 900);
  EXPECT_GT(seen.near_zero, 250);
  RecordProperty("largest error over its bound", std::to_string(seen.worst));
}

/// A device tells the largest bound of the law and compression's estimate; the rest is worked out here.
TEST(LikelihoodErrorBound, IsNotExceededOnADevice) {
  Seen seen;
  for (const int count : {7, 60, 2000})
    for (const DataCompression mode : {DataCompression::kOff, DataCompression::kAuto})
      expect_bounds(times(times_csv(3, count, false)), mode, seen, true);
  EXPECT_GT(seen.near_zero, 20);
}

/// Parts of a data set that is not compressed add up, and zero density is certain.
TEST(LikelihoodErrorBound, OfPartsAndOfNothing) {
  Seen seen;
  std::string csv = "time\n";
  PhiloxStream random(5, kStreamInitial, 0);
  for (int i = 0; i < 40'000; ++i) csv += fmt::format("{:.17g}\n", 0.25 + 0.01 * random.next_uniform());
  expect_bounds(times(csv), DataCompression::kOff, seen);
  EXPECT_GT(seen.count, 4);

  const Model certain = parse_model(
      "schema: sojourn/model/1\ntime: discrete\nparameters: [{name: p, lower: 0, upper: 1}]\nstates: 3\n"
      "initial: [[0, 1]]\nedges: [[0, 1, 1, [0]], [1, 2, 0, [1]]]\n",
      "steps.yaml");
  const DataLikelihood likelihood(certain, parse_observations("count\n2\n3\n", "counts.csv", TimeKind::kDiscrete),
                                  certain.graph.unit_reward());
  Matrix<double> theta(2, 1, 1);
  theta(1, 0) = 0.25;
  std::vector<double> value(2), bound(2);
  std::vector<std::string> status;
  likelihood.evaluate(theta.view(), value, {}, status, bound);
  EXPECT_EQ(value[0], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(bound[0], 0);
  EXPECT_LE(std::abs(value[1] - (2 * std::log(0.25) + std::log(0.75))), bound[1]);
  EXPECT_LT(bound[1], 1e-8);
}

/// The bound of one log likelihood that is not compressed, at one rate.
double bound_of(const Model& model, const Observations& data, double rate) {
  const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1}, DataCompression::kOff);
  const Matrix<double> theta(1, 1, rate);
  std::vector<double> values(1), bound(1);
  std::vector<std::string> status;
  likelihood.evaluate(theta.view(), values, {}, status, bound);
  return bound[0];
}

/// Bounds are far above most errors, so that one that left something out would hardly be exceeded: what each part adds
/// shows when it alone changes.
TEST(LikelihoodErrorBound, EachPartCounts) {
  const Model erlang = sojourn::erlang(3);
  // Data compression's estimate, beside what the law adds: one exponential in 50 lasts 40 times as long as the others.
  const Model mixture = parse_model(
      "schema: sojourn/model/1\nparameters: [a]\nstates: 3\ninitial: [[0, 0.98], [1, 0.02]]\n"
      "edges: [[0, 2, 0, [40]], [1, 2, 0, [1]]]\n",
      "mixture.yaml");
  const Observations many = times(times_csv(1, 2000, false));
  double total = 0;
  for (const Observation& item : many.items) total += item.weight;
  {
    const DataLikelihood likelihood(mixture, many, mixture.graph.unit_reward(), {.num_threads = 1});
    const Matrix<double> theta(1, 1, 0.5);
    std::vector<double> values(1), bound(1);
    std::vector<std::string> status;
    likelihood.evaluate(theta.view(), values, {}, status, bound);
    const double of_compression = likelihood.compression().worst_error * std::abs(values[0]),
                 of_law = likelihood.route_counts().worst_error_bound * total;
    ASSERT_GT(of_compression, 10 * of_law);
    EXPECT_GE(bound[0], of_compression + of_law);
    EXPECT_LT(bound[0] - of_compression, 0.5 * of_compression + 2 * of_law);
  }
  // Late entry takes weight away from the sum, and adds to its error.
  std::string plain = "time,entry\n", late = plain;
  for (int i = 0; i < 50; ++i) {
    plain += fmt::format("{},\n", 1 + 0.01 * i);
    late += fmt::format("{},{}\n", 1 + 0.01 * i, 0.9 + 0.001 * i);
  }
  EXPECT_GT(bound_of(erlang, times(late), 2), 1.5 * bound_of(erlang, times(plain), 2));
  // Parts of a large data set.
  std::string part = "time\n", all = part;
  for (int i = 0; i < 39'000; ++i) {
    const std::string row = fmt::format("{:.17g}\n", 0.25 + 1e-6 * i);
    all += row;
    if (i >= 26'000) part += row;
  }
  EXPECT_GT(bound_of(erlang, times(all), 2), 2.5 * bound_of(erlang, times(part), 2));
  // Roundings where the law itself is exact: an atom at zero, of which nothing is inverted.
  const Model atom = parse_model(
      "schema: sojourn/model/1\nparameters: [a]\nstates: 3\ninitial: [[0, 0.1], [1, 0.9]]\n"
      "edges: [[0, 2, 0, [1]], [1, 2, 0, [1]]]\nrewards: {second: [0, 1, 0]}\n",
      "atom.yaml");
  const DataLikelihood likelihood(atom, times("time,weight\n0,3000\n"), atom.graph.reward("second"));
  const Matrix<double> theta(1, 1, 2);
  std::vector<double> values(1), bound(1);
  std::vector<std::string> status;
  likelihood.evaluate(theta.view(), values, {}, status, bound);
  EXPECT_LE(std::abs(values[0] - 3000 * std::log(0.1)), bound[0]);
  EXPECT_GT(bound[0], 1e-15 * std::abs(values[0]));
  EXPECT_LT(bound[0], 1e-8);
}

}  // namespace
}  // namespace sojourn
