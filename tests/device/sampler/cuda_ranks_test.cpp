// Runs whose particles stay on the devices of several ranks, threads of this process, beside the same run on one
// device.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <mutex>

#include "comm/thread_group.hpp"
#include "device/comm/nccl_table.hpp"
#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "host/sampler/resident_cases.hpp"

namespace sojourn {
namespace {

bool has_nccl() {
  try {
    (void)nccl::load();
    return true;
  } catch (const CommError&) {
    return false;
  }
}

SvgdResult run_on(int device_index, Communicator& ranks, const testing::ResidentCase& one, const SvgdOptions& options,
                  bool nccl) {
  const Device device = open_cuda_device(device_index, [](const std::string& line) { ADD_FAILURE() << line; });
  Posterior posterior(one.model, one.data, one.priors, {}, one.model.graph.unit_reward());
  posterior.use_device(device.likelihood);
  SvgdControl control{.device = device.svgd.get()};
  control.messages.nccl = nccl;
  control.messages.deadline = std::chrono::duration<double>(120);
  return svgd(posterior, options, ranks, control);
}

/// `device_of`: of a rank.
void expect_bits_of_one(int num_ranks, const std::function<int(int)>& device_of, bool nccl) {
  for (const testing::ResidentCase& one : {testing::two_demes(), testing::on_a_line()[1], testing::narrow_support()}) {
    const SvgdOptions options = testing::fifty_iterations(301);
    const SvgdResult alone = run_on(0, *make_serial_communicator(), one, options, nccl);
    std::mutex mutex;
    run_thread_ranks(num_ranks, [&](Communicator& ranks) {
      const SvgdResult ours = run_on(device_of(ranks.rank()), ranks, one, options, nccl);
      const std::lock_guard lock(mutex);
      EXPECT_EQ(ours.particles.values(), alone.particles.values()) << num_ranks << " ranks";
      EXPECT_EQ(ours.trace_step, alone.trace_step);
      EXPECT_EQ(ours.on_device.num_resident, 50);
      EXPECT_EQ(ours.on_device.num_halts, alone.on_device.num_halts);
      EXPECT_EQ(ours.on_device.messages.rfind(nccl ? "NCCL " : "the host's memory", 0), 0u) << ours.on_device.messages;
    });
  }
}

TEST(CudaRanks, ShareADeviceThroughTheHost) {
  if (num_devices() == 0) GTEST_SKIP() << "no CUDA device on this machine";
  for (const int num_ranks : {2, 3})
    expect_bits_of_one(
        num_ranks, [](int) { return 0; }, false);
}

TEST(CudaRanks, NcclRefusesTwoOnOneDevice) {
  if (num_devices() == 0) GTEST_SKIP() << "no CUDA device on this machine";
  if (!has_nccl()) GTEST_SKIP() << "no NCCL on this machine";
  const testing::ResidentCase one = testing::two_demes();
  try {
    run_thread_ranks(2, [&](Communicator& ranks) { run_on(0, ranks, one, testing::fifty_iterations(), true); });
    ADD_FAILURE() << "no error";
  } catch (const CommError& error) {
    EXPECT_NE(std::string(error.what()).find("ranks 0 and 1 both use the GPU "), std::string::npos) << error.what();
  }
}

TEST(CudaRanks, SeveralDevicesGiveTheBitsOfOne) {
  if (num_devices() < 2) GTEST_SKIP() << "needs two CUDA devices";
  for (int num_ranks = 2; num_ranks <= num_devices(); ++num_ranks) {
    expect_bits_of_one(
        num_ranks, [](int rank) { return rank; }, false);
    if (has_nccl())
      expect_bits_of_one(
          num_ranks, [](int rank) { return rank; }, true);
  }
}

}  // namespace
}  // namespace sojourn
