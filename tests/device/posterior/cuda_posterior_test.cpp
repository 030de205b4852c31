// Particles in device memory on a caller's stream, and moments, against the host's on the same inputs.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

constexpr std::int32_t kTwoDemes[] = {2, 2};

template <class T>
class Array {
 public:
  explicit Array(std::size_t size) : size_(size) { cudaMalloc(reinterpret_cast<void**>(&values_), size * sizeof(T)); }
  ~Array() { cudaFree(values_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  [[nodiscard]] T* data() const { return values_; }
  [[nodiscard]] std::vector<T> fetch() const {
    std::vector<T> host(size_);
    cudaMemcpy(host.data(), values_, size_ * sizeof(T), cudaMemcpyDeviceToHost);
    return host;
  }

 private:
  T* values_ = nullptr;
  std::size_t size_;
};

TEST(CudaPosterior, MatchesTheHostOnACallersStream) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  Posterior posterior = cases::gamma_posterior(structured_coalescent_blocks(kTwoDemes));
  const std::size_t n = 1000, d = static_cast<std::size_t>(posterior.dimension());
  Matrix<double> z(n, d), score(n, d);
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0, 0.5);
  for (double& value : z.values()) value = normal(random);
  std::vector<double> wanted(n);
  std::vector<std::string> status;
  posterior.evaluate(z.view(), wanted, score.view(), status);
  posterior.use_device(open_cuda_device(0, {}).likelihood);
  const std::unique_ptr<DevicePosterior> there = posterior.on_device(static_cast<std::int64_t>(n));

  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  const Array<double> places(n * d), slopes(n * d), density(n);
  const Array<std::int32_t> outcome(n);
  cudaMemcpyAsync(places.data(), z.values().data(), n * d * sizeof(double), cudaMemcpyHostToDevice, stream);
  const auto rows = static_cast<std::int64_t>(n), columns = static_cast<std::int64_t>(d);
  there->evaluate({.data = places.data(), .num_dims = 2, .shape = {rows, columns}, .stride = {columns, 1}},
                  {.data = density.data(), .shape = {rows, 1}},
                  {.data = slopes.data(), .num_dims = 2, .shape = {rows, columns}, .stride = {columns, 1}},
                  {.data = outcome.data(), .type = DeviceTensor::Type::kInt32, .shape = {rows, 1}}, stream);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  const std::vector<double> got = density.fetch(), got_slopes = slopes.fetch();
  const std::vector<std::int32_t> outcomes = outcome.fetch();
  for (std::size_t i = 0; i < n; ++i) {
    ASSERT_EQ(outcomes[i], 0);
    EXPECT_NEAR(got[i], wanted[i], 1e-12 * (std::abs(wanted[i]) + 6));
    // As `DevicePosterior.EvaluatesTensorsWhereTheyAre`: what cancels is some ten an observation.
    for (std::size_t c = 0; c < d; ++c)
      EXPECT_NEAR(got_slopes[i * d + c], score(i, c), 1e-12 * (std::abs(score(i, c)) + 60));
  }
  cudaStreamDestroy(stream);
}

TEST(CudaMoments, MatchTheHostsThroughTheEvaluator) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const std::int32_t two_demes[] = {5, 5};
  const Model model = structured_coalescent_blocks(two_demes);
  const Evaluator cpu(model);
  Evaluator device(model);
  device.use_device(open_cuda_device(0, {}).moments);
  Matrix<double> theta(500, model.parameters.size());
  std::mt19937 random(5);
  std::lognormal_distribution<double> factor(0, 0.3);
  for (double& value : theta.values()) value = factor(random);
  const Quantity wanted = cpu.moments(theta.view(), model.graph.unit_reward(), 2, true);
  const Quantity got = device.moments(theta.view(), model.graph.unit_reward(), 2, true);
  for (std::size_t i = 0; i < wanted.values.size(); ++i)
    EXPECT_NEAR(got.values.values()[i], wanted.values.values()[i], 1e-12 * wanted.values.values()[i]);
  // As `MomentsOnDevice.AgreeWithTheCpu`: what cancels in a derivative is some ten times the moment over its parameter.
  const std::size_t width = model.parameters.size();
  for (std::size_t i = 0; i < wanted.gradient.size(); ++i) {
    const double cancels = 20 * wanted.values.values()[i / width] / theta(i / width / 2, i % width);
    EXPECT_NEAR(got.gradient[i], wanted.gradient[i], 1e-12 * (std::abs(wanted.gradient[i]) + cancels));
  }
  EXPECT_GT(device.moment_report().num_served, 400);
}

}  // namespace
}  // namespace sojourn
