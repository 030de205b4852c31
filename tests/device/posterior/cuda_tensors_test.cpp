// Moments, draws and directions of arrays in device memory on a caller's stream, against the host's on the same inputs.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "sojourn/device_tensor.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "sojourn/sample.hpp"

namespace sojourn {
namespace {

/// An array [n, d] by columns.
template <class T>
class Array {
 public:
  Array(std::int64_t n, std::int64_t d) : n_(n), d_(d) {
    cudaMalloc(reinterpret_cast<void**>(&values_), static_cast<std::size_t>(n * d) * sizeof(T));
  }
  ~Array() { cudaFree(values_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  [[nodiscard]] DeviceTensor tensor() const {
    const bool is_double = std::is_same_v<T, double>;
    return {.data = values_,
            .type = is_double ? DeviceTensor::Type::kDouble : DeviceTensor::Type::kInt32,
            .num_dims = is_double ? 2 : 1,
            .shape = {n_, d_},
            .stride = {1, n_}};
  }
  void put(const std::vector<T>& host, cudaStream_t stream) {
    cudaMemcpyAsync(values_, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice, stream);
  }
  [[nodiscard]] std::vector<T> fetch() const {
    std::vector<T> host(static_cast<std::size_t>(n_ * d_));
    cudaMemcpy(host.data(), values_, host.size() * sizeof(T), cudaMemcpyDeviceToHost);
    return host;
  }

 private:
  T* values_ = nullptr;
  std::int64_t n_, d_;
};

class CudaTensors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    device_ = open_cuda_device(0, {});
  }
  void TearDown() override {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  void wait() const { ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess); }
  cudaStream_t stream_ = nullptr;
  Device device_;
};

TEST_F(CudaTensors, MomentsMatchTheHosts) {
  const std::int32_t small[] = {2, 2}, large[] = {5, 5};
  for (const Model& model : {structured_coalescent_blocks(small), structured_coalescent_blocks(large)}) {
    const Evaluator cpu(model);
    Evaluator there(model);
    there.use_device(device_.moments);
    const std::size_t n = 500, d = model.parameters.size();
    Matrix<double> theta(n, d);
    std::vector<double> columns(n * d);
    std::mt19937 random(5);
    std::lognormal_distribution<double> factor(0, 0.3);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t r = 0; r < d; ++r) columns[r * n + i] = theta(i, r) = factor(random);
    const auto rows = static_cast<std::int64_t>(n), width = static_cast<std::int64_t>(2 * d);
    const auto moments = there.tensor_moments(model.graph.unit_reward(), 2, true, 600);
    Array<double> rates(rows, static_cast<std::int64_t>(d)), values(rows, 2), gradient(rows, width);
    Array<std::int32_t> outcome(rows, 1);
    rates.put(columns, stream_);
    moments->evaluate(rates.tensor(), values.tensor(), gradient.tensor(), outcome.tensor(), stream_);
    wait();
    const std::vector<double> got = values.fetch(), slopes = gradient.fetch();
    const std::vector<std::int32_t> outcomes = outcome.fetch();
    const Quantity wanted = cpu.moments(theta.view(), model.graph.unit_reward(), 2, true);
    std::size_t num_done = 0;
    for (std::size_t i = 0; i < n; ++i) {
      num_done += outcomes[i] == 0 ? 1 : 0;
      ASSERT_TRUE(outcomes[i] == 0 || outcomes[i] == 6);
      for (std::size_t k = 0; k < 2; ++k) {
        const double mean = wanted.values(i, k);
        EXPECT_NEAR(got[k * n + i], mean, 1e-12 * mean);
        for (std::size_t r = 0; r < d && outcomes[i] == 0; ++r) {
          // As `MomentsOnDevice.AgreeWithTheCpu`.
          const double slope = wanted.gradient[(i * 2 + k) * d + r];
          EXPECT_NEAR(slopes[(k * d + r) * n + i], slope, 1e-12 * (std::abs(slope) + 20 * mean / theta(i, r)));
        }
      }
    }
    EXPECT_GT(num_done, n / 2);
  }
}

TEST_F(CudaTensors, DrawsMatchTheHosts) {
  const std::int32_t samples[] = {3, 3};
  const Model demes = structured_coalescent(samples);
  const std::vector<double> theta = {1.0, 0.5, 0.2, 0.9}, time = demes.graph.unit_reward();
  const std::span<const double> length = demes.graph.reward("length_1");
  const std::int64_t n = 3000;
  const Matrix<double> wanted = sample(demes, theta, {time, length}, n, 42, 1);
  const Matrix<double> through = sample(demes, theta, {time, length}, n, 42, *device_.sampling);
  const auto draws = tensor_draws(demes, theta, {time, length}, *device_.sampling);
  Array<double> whole(n, 2), part(1000, 2);
  draws->draw(42, 0, whole.tensor(), stream_);
  draws->draw(42, 2000, part.tensor(), stream_);
  wait();
  const std::vector<double> got = whole.fetch(), last = part.fetch();
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
    for (std::size_t r = 0; r < 2; ++r) {
      const double value = got[r * static_cast<std::size_t>(n) + i];
      // Logarithms may differ by a unit in the last place.
      EXPECT_NEAR(value, wanted(i, r), 1e-13 * wanted(i, r));
      EXPECT_EQ(value, through(i, r));
      if (i >= 2000) {
        EXPECT_EQ(last[r * 1000 + i - 2000], value);
      }
    }
}

TEST_F(CudaTensors, DirectionsMatchTheHosts) {
  const std::int64_t n = 1000, d = 5;
  std::vector<double> u(static_cast<std::size_t>(n * d)), s(u.size());
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  for (std::size_t k = 0; k < u.size(); ++k) {
    u[k] = normal(random);
    s[k] = -u[k] + 0.3 * normal(random);
  }
  for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
    std::vector<double> wanted(u.size());
    testing::HostLoopSvgd host;
    DirectionWork work{
        .dimension = 5, .num_particles = n, .stride = n, .u = u.data(), .s = s.data(), .inverse_h2 = 0.7};
    work.row_end = n;
    work.phi = wanted.data();
    host.direction(kernel, work);
    Array<double> places(n, d), scores(n, d), phi(n, d);
    places.put(u, stream_);
    scores.put(s, stream_);
    device_.svgd->direction(kernel, places.tensor(), scores.tensor(), 0.7, phi.tensor(), stream_);
    wait();
    const std::vector<double> got = phi.fetch();
    for (std::size_t k = 0; k < got.size(); ++k) EXPECT_NEAR(got[k], wanted[k], 1e-13) << k;
  }
}

}  // namespace
}  // namespace sojourn
