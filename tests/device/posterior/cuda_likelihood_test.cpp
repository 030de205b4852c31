#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "device/evaluation/mapping.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

Matrix<double> scattered(std::size_t count, std::size_t num_parameters) {
  Matrix<double> theta(count, num_parameters);
  std::mt19937 random(11);
  std::lognormal_distribution<double> factor(0, 0.2);
  for (double& value : theta.values()) value = 0.8 * factor(random);
  return theta;
}

const char* const kData =
    "time,event,lower,upper,entry,weight\n0.7,1,,,,2\n1.1,1,,,,1\n2.4,1,,,,1\n0.3,1,,,,1\n2,0,,,,3\n,,0.8,1.9,,1\n"
    ",,,0.9,,1\n1.5,1,,,0.6,1\n";

TEST(CudaLikelihood, MatchesTheHost) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const std::int32_t small[] = {2, 2}, two_demes[] = {5, 5};
  const auto device = open_cuda_device(0, [](const std::string& line) { ADD_FAILURE() << line; }).likelihood;
  for (const Model& model : {coalescent_blocks(12), structured_coalescent_blocks(small),
                             structured_coalescent_blocks(two_demes), coxian(5)}) {
    const Observations data = parse_observations(kData, "data", TimeKind::kContinuous);
    EvaluatorOptions options;
    options.method = LawMethod::kContour;
    const DataLikelihood host(model, data, model.graph.unit_reward(), options);
    DataLikelihood there(model, data, model.graph.unit_reward(), options);
    there.use_device(device);
    const Matrix<double> theta = scattered(301, model.parameters.size());
    const cases::Evaluation wanted = cases::evaluate_at(host, theta.view()),
                            got = cases::evaluate_at(there, theta.view());
    for (std::size_t k = 0; k < theta.num_rows(); ++k) {
      EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + 11)) << model.name << " " << k;
      for (std::size_t p = 0; p < theta.num_cols(); ++p)
        // In elasticities, of which some ten an observation cancel.
        EXPECT_NEAR(theta(k, p) * got.gradient(k, p), theta(k, p) * wanted.gradient(k, p),
                    1e-12 * (std::abs(theta(k, p) * wanted.gradient(k, p)) + 110));
    }
    EXPECT_EQ(there.device_report().num_on_cpu(), 0) << model.name;
    const cases::Evaluation again = cases::evaluate_at(there, theta.view());
    EXPECT_EQ(again.value, got.value) << "the same bits from run to run";
    EXPECT_EQ(again.gradient.values(), got.gradient.values());
    for (const MappingChoice choice : {MappingChoice::kThreads, MappingChoice::kLevels}) {
      DataLikelihood other(model, data, model.graph.unit_reward(), options);
      other.use_device(open_cuda_device_by(choice, 0, {}).likelihood);
      const cases::Evaluation same = cases::evaluate_at(other, theta.view());
      EXPECT_EQ(same.value, got.value) << "the same bits by any mapping";
      EXPECT_EQ(same.gradient.values(), got.gradient.values());
    }
  }
}

TEST(CudaLikelihood, ALaneDoesNotDependOnItsBatch) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  DataLikelihood likelihood(model, parse_observations(kData, "data", TimeKind::kContinuous), model.graph.unit_reward());
  likelihood.use_device(open_cuda_device(0, {}).likelihood);
  const Matrix<double> theta = scattered(500, model.parameters.size());
  const cases::Evaluation all = cases::evaluate_at(likelihood, theta.view());
  const cases::Evaluation part = cases::evaluate_at(likelihood, {theta.row(123).data(), 77, theta.num_cols()});
  for (std::size_t l = 0; l < 77; ++l) EXPECT_EQ(part.value[l], all.value[123 + l]);
  for (std::size_t l = 0; l < 77; ++l) EXPECT_EQ(part.gradient(l, 0), all.gradient(123 + l, 0));
}

TEST(CudaLikelihood, FailureWithoutADeviceIsADeviceError) {
  if (has_device()) GTEST_SKIP() << "a CUDA device is present";
  EXPECT_THROW((void)open_cuda_device(0, {}), DeviceError);
}

}  // namespace
}  // namespace sojourn
