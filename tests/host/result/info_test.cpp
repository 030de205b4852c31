#include "sojourn/info.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "result/build_facts.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

TEST(BuildInfo, SaysWhatTheBuildFound) {
  const BuildInfo info = build_info();
  EXPECT_EQ(info.version.find_first_not_of("0123456789."), std::string::npos);
  EXPECT_FALSE(info.compiler.empty());
  EXPECT_FALSE(info.build_type.empty());
  EXPECT_EQ(info.cuda, !info.cuda_version.empty());
  EXPECT_EQ(info.nccl, !info.nccl_version.empty());
  EXPECT_EQ(info.mpi, !info.mpi_version.empty());
  EXPECT_GE(info.num_threads, 1);
  EXPECT_TRUE(info.devices.empty());  // no device code is linked into this test
}

TEST(BuildInfo, AsksTheDeviceListerOnceThereIsOne) {
  set_device_lister([] { return std::vector<std::string>{"cuda:0 made up, 1 GiB"}; });
  EXPECT_EQ(build_info().devices, (std::vector<std::string>{"cuda:0 made up, 1 GiB"}));
  EXPECT_TRUE(build_facts().devices.empty());  // results that name the build do not wake the driver
  set_device_lister(nullptr);
  EXPECT_TRUE(build_info().devices.empty());
}

TEST(BuildInfo, BadThreadVariableFailsOnlyWhereThreadsAreAskedFor) {
  const char* before = std::getenv("SOJOURN_NUM_THREADS");
  const std::string saved = before == nullptr ? "" : before;
  setenv("SOJOURN_NUM_THREADS", "many", 1);
  EXPECT_THROW(build_info(), UsageError);
  EXPECT_NO_THROW(build_facts());
  before == nullptr ? unsetenv("SOJOURN_NUM_THREADS") : setenv("SOJOURN_NUM_THREADS", saved.c_str(), 1);
}

}  // namespace
}  // namespace sojourn
