#include "device/sampler/svgd_kernel.hpp"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "host/sampler/drawn_particles.hpp"
#include "sampler/kernel_sum.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

TEST(SvgdKernel, MatchesTheHostSum) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const std::shared_ptr<SvgdDevice> machine = open_cuda_device(0, {}).svgd;
  for (const std::int64_t count : {1, 31, 33, 200, 1000})
    for (const std::int32_t dim : {1, 2, 3, 8, 16}) {
      ParticleBlock u(count, dim), s(count, dim), host(count, dim), device(count, dim), again(count, dim);
      PhiloxStream stream(3, 9, static_cast<std::uint64_t>(count * 32 + dim));
      testing::draw_particles(stream, u, s);
      for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
        kernel_direction(kernel, u, s, 0.4, 1, host);
        const auto sum_into = [&](ParticleBlock& phi, bool mixed = false) {
          machine->direction(kernel, {dim, count, u.stride, u.values.data(), s.values.data(), 0.4, mixed, 0, count,
                                      phi.values.data()});
        };
        sum_into(device);
        sum_into(again);
        EXPECT_EQ(device.values, again.values) << "the order of sums is fixed";
        for (std::int64_t i = 0; i < count; ++i)
          for (std::int32_t c = 0; c < dim; ++c)
            // Other order of summation and another square root: n roundings of terms of size about 3.
            EXPECT_NEAR(device.at(i, c), host.at(i, c), 2e-14) << count << " " << dim << " " << i;
        sum_into(device, true);
        for (std::int64_t i = 0; i < count; ++i)
          for (std::int32_t c = 0; c < dim; ++c)
            EXPECT_NEAR(device.at(i, c), host.at(i, c), 2e-6) << "mixed " << count << " " << dim << " " << i;
      }
    }
}

TEST(SvgdKernel, RefusesADimensionItCannotHold) {
  EXPECT_THROW(
      launch_svgd_direction({.dimension = 17, .num_particles = 2, .stride = 16, .row_end = 2}, nullptr, nullptr),
      DeviceError);
}

}  // namespace
}  // namespace sojourn
