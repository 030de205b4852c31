// The bound that comes with each log likelihood is never exceeded, near its zeros and with intervals that magnify
// errors as well: against Erlang laws in long double.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/random.hpp"
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

void expect_bounds(const Observations& data, DataCompression mode, Seen& seen) {
  const Model model = sojourn::erlang(3);
  const DataLikelihood likelihood(model, data, model.graph.unit_reward(), {.num_threads = 1}, mode);
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

}  // namespace
}  // namespace sojourn
