// The suites of the host's rooms about devices, on CUDA device 0 or the one that SOJOURN_TEST_DEVICE numbers, where the
// rooms' own executables take a host loop. Without a device it says so and ends with status 77.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "device/support/device_list.hpp"
#include "host/suite_device.hpp"
#include "sojourn/cuda_device.hpp"

int main(int argc, char** argv) {
  testing::FLAGS_gtest_filter =
      "DirectionsOnDevice.*:LikelihoodBySteps.*:LikelihoodDevice.*:LikelihoodErrorBound.*:LikelihoodOfCounts.*:"
      "MixedDirections.*:MomentsOnDevice.*:SvgdOnDevice.*:SvgdResident.*";
  testing::InitGoogleTest(&argc, argv);
  const bool lists = testing::GTEST_FLAG(list_tests);
  if (!lists && sojourn::list_cuda_devices().empty()) {
    std::puts("no CUDA device on this machine: the suites are skipped");
    return 77;
  }
  sojourn::Device device;
  try {
    const char* const number = std::getenv("SOJOURN_TEST_DEVICE");
    if (!lists) device = sojourn::open_cuda_device(number != nullptr ? std::atoi(number) : 0, {});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 6;
  }
  if (device) sojourn::testing::suite_device = &device;
  return RUN_ALL_TESTS();
}
