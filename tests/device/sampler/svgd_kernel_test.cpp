#include "device/sampler/svgd_kernel.hpp"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "common/random.hpp"
#include "sampler/kernel_sum.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

bool has_device() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

TEST(SvgdKernel, MatchesTheHostSum) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  for (const std::int64_t count : {1, 31, 33, 200, 1000})
    for (const std::int32_t dim : {1, 2, 3, 8, 16}) {
      ParticleBlock u(count, dim), s(count, dim), host(count, dim), device(count, dim), again(count, dim);
      PhiloxStream stream(3, 9, static_cast<std::uint64_t>(count * 32 + dim));
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int32_t c = 0; c < dim; ++c) {
          u.at(i, c) = stream.next_normal();
          s.at(i, c) = 3 * stream.next_normal();
        }
      u.pad();
      for (const auto& [on_host, on_device] :
           {std::pair{Kernel::kImq, DeviceKernel::kImq}, std::pair{Kernel::kRbf, DeviceKernel::kRbf}}) {
        kernel_direction(on_host, u, s, 0.4, 1, host);
        svgd_direction_on_device(on_device, dim, count, u.stride, 0.4, u.values.data(), s.values.data(),
                                 device.values.data());
        svgd_direction_on_device(on_device, dim, count, u.stride, 0.4, u.values.data(), s.values.data(),
                                 again.values.data());
        EXPECT_EQ(device.values, again.values) << "the order of sums is fixed";
        for (std::int64_t i = 0; i < count; ++i)
          for (std::int32_t c = 0; c < dim; ++c)
            // Other order of summation and another square root: n roundings of terms of size about 3.
            EXPECT_NEAR(device.at(i, c), host.at(i, c), 2e-14) << count << " " << dim << " " << i;
      }
    }
}

TEST(SvgdKernel, RefusesADimensionItCannotHold) {
  EXPECT_THROW(launch_svgd_direction(DeviceKernel::kImq, 17, 2, 16, 1, nullptr, nullptr, 0, 2, nullptr, nullptr),
               DeviceError);
}

TEST(SvgdKernel, FailureWithoutADeviceIsADeviceError) {
  if (has_device()) GTEST_SKIP() << "a CUDA device is present";
  ParticleBlock u(4, 1), phi(4, 1);
  EXPECT_THROW(svgd_direction_on_device(DeviceKernel::kImq, 1, 4, u.stride, 1, u.values.data(), u.values.data(),
                                        phi.values.data()),
               DeviceError);
}

}  // namespace
}  // namespace sojourn
