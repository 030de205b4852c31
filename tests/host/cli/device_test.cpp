#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/verb.hpp"
#include "sojourn/error.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {
namespace {

using ::testing::HasSubstr;

TEST(DeviceText, NamesReasonsThatOccurred) {
  EXPECT_EQ(device_text({}), "");
  EXPECT_EQ(device_text({.name = "cuda:0 X", .num_served = 12'000}), "12,000 likelihoods on cuda:0 X");
  EXPECT_EQ(device_text({.name = "cuda:0 X", .num_served = 5, .num_uncertified = 2, .num_in_doubt = 1}),
            "5 likelihoods on cuda:0 X, 3 on the CPU instead: 2 with values that the shared contour does not certify, "
            "1 with a gradient in doubt");
}

TEST(OpenDevice, IsNoneOnTheCpu) {
  unsetenv("SOJOURN_DEVICE");
  for (const char* name : {"", "auto", "cpu"}) {
    EXPECT_EQ(open_device(name), nullptr);
    EXPECT_NO_THROW(expect_cpu(name, "means are"));
  }
  setenv("SOJOURN_DEVICE", "cpu", 1);
  EXPECT_EQ(open_device(""), nullptr);
  setenv("SOJOURN_DEVICE", "tpu", 1);
  EXPECT_THROW((void)open_device(""), UsageError);
  EXPECT_EQ(open_device("cpu"), nullptr);
  unsetenv("SOJOURN_DEVICE");
}

TEST(OpenDevice, ReadsTheEnvironmentThatItIsGiven) {
  EXPECT_EQ(open_device("", fixed_environment({{"SOJOURN_DEVICE", "cpu"}})), nullptr);
  EXPECT_EQ(open_device("", fixed_environment({{"SOJOURN_DEVICE", ""}})), nullptr);
  EXPECT_THROW((void)open_device("", fixed_environment({{"SOJOURN_DEVICE", "tpu"}})), UsageError);
}

TEST(OpenDevice, RefusesNamesThatAreNone) {
  for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:12345", "CUDA"})
    EXPECT_THROW((void)open_device(name), UsageError) << name;
}

TEST(OpenDevice, WithoutADeviceIsADeviceError) {
  if (!build_info().devices.empty()) GTEST_SKIP() << "a CUDA device is present";
  EXPECT_THROW((void)open_device("cuda"), DeviceError);
  EXPECT_THROW((void)open_device("cuda:0"), DeviceError);
  EXPECT_THROW(expect_cpu("cuda", "means are"), DeviceError);
}

}  // namespace
}  // namespace sojourn::cli
