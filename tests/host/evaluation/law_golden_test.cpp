#include <gtest/gtest.h>

#include <cmath>

#include "evaluation/law.hpp"
#include "oracle/golden.hpp"
#include "oracle/zoo.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Compares one kind's log value and gradient with the golden ones.
void expect_close(const std::string& what, double got, double want, const double* got_gradient,
                  const std::vector<double>& want_gradient, const std::vector<double>& phi) {
  if (want == -kInfinity) {
    EXPECT_EQ(got, want) << what;
    return;
  }
  // |log a - log b| is the relative error of the value: 1e-8 whatever its size.
  EXPECT_NEAR(got, want, 1e-8) << what;
  // Elasticities d log value / d log phi, to 1e-8 of the largest one, or absolutely where all are below 1.
  double scale = 1;
  for (std::size_t p = 0; p < phi.size(); ++p) scale = std::max(scale, std::abs(want_gradient[p] * phi[p]));
  for (std::size_t p = 0; p < phi.size(); ++p) {
    EXPECT_NEAR(got_gradient[p] * phi[p], want_gradient[p] * phi[p], 1e-8 * scale) << what << " rate " << p;
  }
}

struct Counts {
  LawOutcome outcome;
  std::size_t certified = 0;
};

Counts check(const std::string& name, LawMethod method, bool all) {
  const oracle::ZooChain chain = oracle::zoo_by_name(name);
  const oracle::Golden& golden = oracle::golden().at(name);
  const Prc prc = eliminate(chain.graph);
  std::vector<LawPoint> points;
  for (const double t : golden.times) points.push_back({t, true, true, true});
  EvaluatorOptions options;
  options.method = method;
  const LawPlan plan(chain.graph, prc, chain.reward, points, options);
  const auto workspace = plan.make_workspace();
  LawValues values;
  std::vector<LawMethod> methods(points.size());
  Counts counts;
  counts.outcome = plan.values(chain.phi, true, values, methods, *workspace);
  if (all) {
    EXPECT_TRUE(counts.outcome.ok) << name << ": " << counts.outcome.message;
  }
  const std::size_t num_rates = chain.phi.size();
  for (std::size_t n = 0; n < points.size(); ++n) {
    if (!(values.error_bound[n] <= options.rtol)) continue;
    ++counts.certified;
    const std::string what = name + " t " + std::to_string(golden.times[n]) + " by " + to_string(methods[n]);
    expect_close(what + " pdf", values.log_density[n], golden.log_pdf[n], &values.density_gradient[n * num_rates],
                 golden.log_pdf_gradient[n], chain.phi);
    expect_close(what + " survival", values.log_survival[n], golden.log_survival[n],
                 &values.survival_gradient[n * num_rates], golden.log_survival_gradient[n], chain.phi);
    expect_close(what + " cdf", values.log_cdf[n], golden.log_cdf[n], &values.cdf_gradient[n * num_rates],
                 golden.log_cdf_gradient[n], chain.phi);
  }
  return counts;
}

class LawGolden : public testing::TestWithParam<std::string> {};

TEST_P(LawGolden, EveryValueOfEveryChain) {
  // Rates up to 1e6 with absorption after 1e12: no route reaches the late points, and says so.
  const bool out_of_reach = GetParam() == "ring_slow" || GetParam().starts_with("dense_random");
  const Counts counts = check(GetParam(), LawMethod::kAuto, !out_of_reach);
  if (out_of_reach) {
    EXPECT_NE(counts.outcome.message.find("terms"), std::string::npos) << counts.outcome.message;
  }
}

TEST_P(LawGolden, WhatTheSharedContourCertifiesIsRight) { check(GetParam(), LawMethod::kContour, false); }

class LawGoldenReal : public testing::TestWithParam<std::string> {};

TEST_P(LawGoldenReal, TheSaddlepointServesEveryValue) { check(GetParam(), LawMethod::kSaddlepoint, true); }

/// Chains with golden transient laws; with `real` those in continuous time whose poles are known to be real.
std::vector<std::string> names(bool real) {
  std::vector<std::string> all;
  for (const auto& [name, golden] : oracle::golden()) {
    if (golden.times.empty()) continue;
    const oracle::ZooChain chain = oracle::zoo_by_name(name);
    if (!real || (chain.real_spectrum && chain.graph.time_kind() == TimeKind::kContinuous)) all.push_back(name);
  }
  return all;
}
std::string test_name(const testing::TestParamInfo<std::string>& one) { return one.param; }
INSTANTIATE_TEST_SUITE_P(Zoo, LawGolden, testing::ValuesIn(names(false)), test_name);
INSTANTIATE_TEST_SUITE_P(Zoo, LawGoldenReal, testing::ValuesIn(names(true)), test_name);

}  // namespace
}  // namespace sojourn
