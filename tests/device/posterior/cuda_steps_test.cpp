#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "host/posterior/posterior_cases.hpp"

namespace sojourn {
namespace {

/// A one-way ring, left from its last state.
Model ring(std::int32_t states) {
  std::vector<cases::Edge> edges;
  for (std::int32_t i = 0; i < states; ++i) edges.push_back({i, (i + 1) % states, 0, {{0, 1.0 + 0.125 * i}}});
  edges.push_back({states - 1, states, 0.01, {{1, 1.0}}});
  return cases::make_model(TimeKind::kContinuous, states + 1, {{0, 0.7}, {1, 0.25}}, edges, {{"a"}, {"b"}},
                           RateMap::identity(2));
}

const char* const kData =
    "time,event,lower,upper,entry,weight\n0.7,1,,,,2\n1.1,1,,,,1\n2.4,1,,,,1\n0.3,1,,,,1\n2,0,,,,3\n,,0.8,1.9,,1\n"
    ",,,0.9,,1\n1.5,1,,,0.6,1\n30,1,,,,1\n";

TEST(CudaSteps, MatchTheHostAndDoNotDependOnTheBatch) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const auto device = open_cuda_device(0, [](const std::string& line) { ADD_FAILURE() << line; }).likelihood;
  EvaluatorOptions options;
  options.method = LawMethod::kUniformization;
  for (const std::int32_t states : {2, 3, 20, 100}) {
    const Model model = ring(states);
    const Observations data = parse_observations(kData, "data", TimeKind::kContinuous);
    const DataLikelihood host(model, data, model.graph.unit_reward(), options);
    DataLikelihood there(model, data, model.graph.unit_reward(), options);
    there.use_device(device);
    Matrix<double> theta(301, 2);
    std::mt19937 random(11);
    std::lognormal_distribution<double> factor(0, 0.7);
    for (double& value : theta.values()) value = factor(random);
    const cases::Evaluation wanted = cases::evaluate_at(host, theta.view()),
                            got = cases::evaluate_at(there, theta.view());
    for (std::size_t k = 0; k < theta.num_rows(); ++k) {
      EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + 11)) << states << " " << k;
      for (std::size_t p = 0; p < 2; ++p)
        // In elasticities, of which some ten an observation cancel.
        EXPECT_NEAR(theta(k, p) * got.gradient(k, p), theta(k, p) * wanted.gradient(k, p),
                    1e-12 * (std::abs(theta(k, p) * wanted.gradient(k, p)) + 110));
    }
    EXPECT_EQ(there.device_report().num_by_steps, 301);
    const cases::Evaluation again = cases::evaluate_at(there, theta.view());
    EXPECT_EQ(again.value, got.value) << "the same bits from run to run";
    EXPECT_EQ(again.gradient.values(), got.gradient.values());
    const cases::Evaluation part = cases::evaluate_at(there, {theta.row(123).data(), 77, theta.num_cols()});
    for (std::size_t l = 0; l < 77; ++l) {
      EXPECT_EQ(part.value[l], got.value[123 + l]);
      EXPECT_EQ(part.gradient(l, 0), got.gradient(123 + l, 0));
    }
  }
}

/// Trials in a ring that is left from its last state; one weight is 1 - p.
Model ring_of_counts(std::int32_t states) {
  std::vector<cases::Edge> edges;
  for (std::int32_t i = 0; i < states; ++i) {
    if (i % 3 == 0) edges.push_back({i, (i + 1) % states, 1, {{0, -1.0}}});
    if (i % 3 != 0) edges.push_back({i, (i + 1) % states, 0, {{0, 0.75}}});
  }
  edges.push_back({states - 1, states, 0.01, {{1, 0.125}}});
  return cases::make_model(TimeKind::kDiscrete, states + 1, {{0, 0.7}, {1, 0.25}}, edges, {{"p", 0, 1}, {"q", 0, 1}},
                           RateMap::identity(2));
}

TEST(CudaSteps, CountsMatchTheHostAndDoNotDependOnTheBatch) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const auto device = open_cuda_device(0, [](const std::string& line) { ADD_FAILURE() << line; }).likelihood;
  const Observations data = parse_observations(
      "count,event,lower,upper,entry,weight\n60,1,,,,2\n110,1,,,,1\n240,1,,,,1\n70,0,,,,3\n,,80,190,,1\n,,,150,,1\n"
      "150,1,,,60,1\n,,170,700,,1\n",
      "data", TimeKind::kDiscrete);
  for (const std::int32_t states : {3, 20, 50}) {
    const Model model = ring_of_counts(states);
    const DataLikelihood host(model, data, model.graph.unit_reward());
    DataLikelihood there(model, data, model.graph.unit_reward());
    there.use_device(device);
    Matrix<double> theta(301, 2);
    std::mt19937 random(11);
    std::uniform_real_distribution<double> probability(0.2, 0.8);
    for (double& value : theta.values()) value = probability(random);
    const cases::Evaluation wanted = cases::evaluate_at(host, theta.view()),
                            got = cases::evaluate_at(there, theta.view());
    for (std::size_t k = 0; k < theta.num_rows(); ++k) {
      EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + 11)) << states << " " << k;
      // As `LikelihoodOfCounts.AgreesWithTheCpuInAnyBatch`, of some 1,900 weighted steps.
      for (std::size_t p = 0; p < 2; ++p) {
        const double terms = 1900 / std::min(theta(k, p), 1 - theta(k, p));
        EXPECT_NEAR(got.gradient(k, p), wanted.gradient(k, p), 1e-13 * (std::abs(wanted.gradient(k, p)) + terms));
      }
    }
    EXPECT_EQ(there.device_report().num_by_steps, 301);
    const cases::Evaluation part = cases::evaluate_at(there, {theta.row(123).data(), 77, theta.num_cols()});
    for (std::size_t l = 0; l < 77; ++l) {
      EXPECT_EQ(part.value[l], got.value[123 + l]);
      EXPECT_EQ(part.gradient(l, 0), got.gradient(123 + l, 0));
    }
  }
}

}  // namespace
}  // namespace sojourn
