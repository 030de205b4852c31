// Particles that are in a device's memory, here a host loop's, described as DLPack does.
#include "sojourn/device_posterior.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "host/reason_of.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

constexpr std::int32_t kTwoDemes[] = {2, 2};

/// The members of DLTensor that dlpack.h declares, in its order.
struct DlDevice {
  int device_type = 1;
  std::int32_t device_id = 0;
};
struct DlType {
  std::uint8_t code = 2, bits = 64;
  std::uint16_t lanes = 1;
};
struct DlTensor {
  void* data = nullptr;
  DlDevice device;
  std::int32_t ndim = 1;
  DlType dtype;
  std::int64_t* shape = nullptr;
  std::int64_t* strides = nullptr;
  std::uint64_t byte_offset = 0;
};

TEST(DevicePosterior, EvaluatesTensorsWhereTheyAre) {
  Posterior posterior = cases::gamma_posterior(structured_coalescent_blocks(kTwoDemes));
  const std::size_t n = 150, d = static_cast<std::size_t>(posterior.dimension());
  Matrix<double> z(n, d), score(n, d);
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0, 0.5);
  for (double& value : z.values()) value = normal(random);
  std::vector<double> wanted(n);
  std::vector<std::string> status;
  posterior.evaluate(z.view(), wanted, score.view(), status);
  posterior.use_device(std::make_shared<testing::HostLoopDevice>());
  const std::unique_ptr<DevicePosterior> there = posterior.on_device(200);
  EXPECT_EQ(there->dimension(), static_cast<std::int32_t>(d));
  for (const bool by_coordinate : {false, true}) {
    // Behind an offset, as a slice is; row-major without strides, or coordinates apart.
    std::vector<double> values(1 + n * d), slopes(n * d, 7), density(n, 7);
    std::vector<std::int32_t> outcome(n, 7);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t c = 0; c < d; ++c) values[1 + (by_coordinate ? c * n + i : i * d + c)] = z(i, c);
    std::int64_t matrix[] = {static_cast<std::int64_t>(n), static_cast<std::int64_t>(d)}, vector[] = {matrix[0]};
    std::int64_t apart[] = {1, matrix[0]};
    std::int64_t* const strides = by_coordinate ? apart : nullptr;
    const DlTensor places{values.data(), {}, 2, {}, matrix, strides, sizeof(double)};
    const DlTensor slope_tensor{slopes.data(), {}, 2, {}, matrix, strides, 0};
    const DlTensor densities{density.data(), {}, 1, {}, vector, nullptr, 0};
    const DlTensor outcomes{outcome.data(), {}, 1, {0, 32, 1}, vector, nullptr, 0};
    there->evaluate(tensor_from_dlpack(places), tensor_from_dlpack(densities), tensor_from_dlpack(slope_tensor),
                    tensor_from_dlpack(outcomes), nullptr);
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(outcome[i], 0);
      EXPECT_NEAR(density[i], wanted[i], 1e-12 * (std::abs(wanted[i]) + 6));
      // Products against differences, by coordinates that are logarithms: terms of some ten an observation cancel, so
      // that derivatives near zero have no more digits than these have.
      for (std::size_t c = 0; c < d; ++c)
        EXPECT_NEAR(slopes[by_coordinate ? c * n + i : i * d + c], score(i, c), 1e-12 * (std::abs(score(i, c)) + 60));
    }
  }
}

/// The particles, what is made of them and everything between stay where they are.
TEST(DevicePosterior, WorksOnTheCallersStreamWithoutCopies) {
  using testing::HostLoop;
  Posterior posterior = cases::gamma_posterior(structured_coalescent_blocks(kTwoDemes));
  posterior.use_device(std::make_shared<testing::HostLoopDevice>());
  const std::int64_t n = 20, d = posterior.dimension();
  const std::unique_ptr<DevicePosterior> there = posterior.on_device(n);
  std::vector<double> values(static_cast<std::size_t>(n * d), 0.1), slopes(values.size()),
      density(static_cast<std::size_t>(n));
  std::vector<std::int32_t> outcome(density.size());
  const auto evaluate = [&](void* stream, std::int64_t rows) {
    HostLoop::launches.clear();
    there->evaluate({.data = values.data(), .device = -1, .num_dims = 2, .shape = {rows, d}, .stride = {d, 1}},
                    {.data = density.data(), .device = -1, .shape = {rows, 1}},
                    {.data = slopes.data(), .device = -1, .num_dims = 2, .shape = {rows, d}, .stride = {d, 1}},
                    {.data = outcome.data(), .type = DeviceTensor::Type::kInt32, .device = -1, .shape = {rows, 1}},
                    stream);
  };
  const std::int64_t copies = HostLoop::num_copies;
  const std::size_t allocated = testing::UnwrittenMemory::allocated_bytes;
  HostLoop::keeps_launches = true;
  int mine = 0;
  evaluate(&mine, n);
  using ::testing::ElementsAre;
  using ::testing::Gt;
  using ::testing::Pair;
  // Places, rates, two kinds of transforms, inversion, likelihoods, weights, gradients and ends.
  EXPECT_THAT(HostLoop::launches, ElementsAre(Pair(&mine, 9)));
  // A caller's null is CUDA's default stream, not this machine's own.
  evaluate(nullptr, n);
  EXPECT_THAT(HostLoop::launches, ElementsAre(Pair(HostLoop::default_stream(), 9)));
  // Nothing is left on the caller's stream, whatever is thrown.
  EXPECT_THROW(evaluate(&mine, n + 1), ShapeError);
  EXPECT_EQ(HostLoop::num_copies, copies);
  EXPECT_EQ(testing::UnwrittenMemory::allocated_bytes.load(), allocated);
  HostLoop::launches.clear();
  Matrix<double> z(3, static_cast<std::size_t>(d)), score(3, static_cast<std::size_t>(d));
  std::vector<double> log_density(3);
  std::vector<std::string> status;
  posterior.evaluate(z.view(), log_density, score.view(), status);
  EXPECT_THAT(HostLoop::launches, ElementsAre(Pair(nullptr, Gt(0))));
  EXPECT_GT(HostLoop::num_copies, copies);
  HostLoop::keeps_launches = false;
}

TEST(DevicePosterior, RefusesTensorsThatDoNotFit) {
  Posterior posterior = cases::gamma_posterior(structured_coalescent_blocks(kTwoDemes));
  EXPECT_THAT(reason_of([&] { (void)posterior.on_device(10); }), HasSubstr("give it a device first"));
  posterior.use_device(std::make_shared<testing::HostLoopDevice>());
  const std::unique_ptr<DevicePosterior> there = posterior.on_device(10);
  const std::int64_t d = there->dimension();
  // Memory for all of them, so that what is not refused fails here and nowhere else.
  std::vector<double> memory(11 * static_cast<std::size_t>(d) + 22);
  const DeviceTensor matrix{.data = memory.data(), .device = -1, .num_dims = 2, .shape = {4, d}, .stride = {d, 1}};
  const DeviceTensor vector{.data = memory.data(), .device = -1, .shape = {4, 1}};
  const DeviceTensor whole{.data = memory.data(), .type = DeviceTensor::Type::kInt32, .device = -1, .shape = {4, 1}};
  const auto asked = [&](const DeviceTensor& z, const DeviceTensor& density, const DeviceTensor& score,
                         const DeviceTensor& outcome) {
    return reason_of([&] { there->evaluate(z, density, score, outcome, nullptr); });
  };
  DeviceTensor elsewhere = matrix, narrow = matrix, many = matrix, apart = vector, whole_apart = whole;
  elsewhere.device = 1;
  narrow.shape[1] = d - 1;
  many.shape[0] = 11;
  apart.stride[0] = whole_apart.stride[0] = 2;
  EXPECT_THAT(asked(elsewhere, vector, matrix, whole), HasSubstr("z is on device 1"));
  EXPECT_THAT(asked(narrow, vector, matrix, whole), HasSubstr("it must be [4, "));
  EXPECT_THAT(asked(matrix, vector, matrix, vector), HasSubstr("outcome"));
  EXPECT_THAT(asked(matrix, apart, matrix, whole), HasSubstr("must be 1"));
  EXPECT_THAT(asked(matrix, vector, matrix, whole_apart), HasSubstr("strides 1 and 2; they must be 1"));
  DeviceTensor density = vector, outcome = whole;
  density.shape[0] = outcome.shape[0] = 11;
  EXPECT_THAT(asked(many, density, many, outcome), HasSubstr("room for 10"));
  std::int64_t shape[] = {2, 2, 2};
  DlTensor cube{nullptr, {}, 3, {}, shape, nullptr, 0}, single{nullptr, {}, 1, {2, 32, 1}, shape, nullptr, 0};
  DlTensor elsewhere_kind{nullptr, {10, 0}, 1, {}, shape, nullptr, 0};
  EXPECT_THAT(reason_of([&] { (void)tensor_from_dlpack(cube); }), HasSubstr("3 dimensions"));
  EXPECT_THAT(reason_of([&] { (void)tensor_from_dlpack(single); }), HasSubstr("32 bits"));
  EXPECT_THAT(reason_of([&] { (void)tensor_from_dlpack(elsewhere_kind); }), HasSubstr("type 10"));
}

}  // namespace
}  // namespace sojourn
