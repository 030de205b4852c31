#include "device/support/architecture.hpp"

#include <gtest/gtest.h>

namespace sojourn {
namespace {

TEST(Architecture, MachineCodeRunsOnItsMajorVersionAndPtxOnAllLaterOnes) {
  // Machine code and PTX of both, the default of a build.
  for (const int capability : {80, 86, 87, 89, 90, 100, 120}) EXPECT_TRUE(has_code_for("80,90", capability));
  for (const int capability : {50, 70, 75}) EXPECT_FALSE(has_code_for("80,90", capability));
  for (const int capability : {80, 86, 90}) EXPECT_TRUE(has_code_for("80-real,90-real", capability));
  for (const int capability : {75, 100, 103, 120}) EXPECT_FALSE(has_code_for("80-real,90-real", capability));
  EXPECT_FALSE(has_code_for("86-real", 80));
  EXPECT_TRUE(has_code_for("86-real", 89));
  EXPECT_TRUE(has_code_for("80-virtual", 120));
  EXPECT_FALSE(has_code_for("90-virtual", 86));
  // Of one architecture alone.
  EXPECT_TRUE(has_code_for("90a", 90));
  EXPECT_FALSE(has_code_for("90a", 100));
  EXPECT_FALSE(has_code_for("100a-real", 103));
  EXPECT_TRUE(has_code_for("90a,80-virtual", 100));
  // What names no number.
  EXPECT_TRUE(has_code_for("native", 75));
  EXPECT_TRUE(has_code_for("90,all-major", 75));
}

/// Row 44 of the bad inputs, for a device that is not here.
TEST(Architecture, ADeviceWithoutCodeIsNamedWithTheWayOut) {
  EXPECT_NO_THROW(expect_code_for("cuda:0 NVIDIA H200, 139 GiB", 90, "80,90"));
  try {
    expect_code_for("cuda:1 Tesla T4, 14 GiB", 75, "80,90");
    FAIL() << "there is no code for it";
  } catch (const DeviceError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kDevice);
    EXPECT_STREQ(
        error.what(),
        "cuda:1 Tesla T4, 14 GiB: its compute capability is 7.5, and this program has code for 80,90 only; use "
        "--device cpu, or build with -DCMAKE_CUDA_ARCHITECTURES=75");
  }
}

}  // namespace
}  // namespace sojourn
