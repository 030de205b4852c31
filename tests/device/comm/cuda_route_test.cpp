// Messages from the memory of a GPU: by NCCL, and through the host, with one rank.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstring>

#include "device/comm/cuda_memory.hpp"
#include "device/comm/host_route.hpp"
#include "device/comm/nccl_communicator.hpp"
#include "device/support/device_list.hpp"

namespace sojourn {
namespace {

void check(DeviceCommunicator& comm, DeviceMemory& memory) {
  constexpr std::size_t kRows = 101, kWidth = 3, kCount = kRows * kWidth;
  std::vector<double> sent(kCount), got(kCount, 0.0), zeros(kCount, 0.0);
  for (std::size_t i = 0; i < kCount; ++i) sent[i] = (i % 2 == 0 ? -1.0 : 1.0) * static_cast<double>(i);
  double *from = nullptr, *to = nullptr;
  ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&from), kCount * sizeof(double)), cudaSuccess);
  ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&to), kCount * sizeof(double)), cudaSuccess);
  memory.to_device(from, sent.data(), kCount * sizeof(double));
  const auto expect_sent = [&](const double* where, const char* what) {
    comm.wait();
    memory.to_host(got.data(), where, kCount * sizeof(double));
    EXPECT_EQ(std::memcmp(got.data(), sent.data(), kCount * sizeof(double)), 0) << what;
    memory.to_device(to, zeros.data(), kCount * sizeof(double));
  };
  comm.all_gather(from, to, kCount * sizeof(double));
  expect_sent(to, "all_gather");
  comm.all_reduce(from, to, kCount, Reduction::kSum);
  expect_sent(to, "all_reduce");
  comm.broadcast(from, kCount * sizeof(double), 0);
  expect_sent(from, "broadcast");
  comm.gather_rows(from, kRows, 16, kWidth);
  expect_sent(from, "gather_rows");
  cudaFree(from);
  cudaFree(to);
}

TEST(CudaRoute, MovesArraysOfTheDevice) {
  if (list_cuda_devices().empty()) GTEST_SKIP() << "no CUDA device";
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  const std::unique_ptr<DeviceMemory> memory = make_cuda_memory(0, stream);
  EXPECT_EQ(memory->bus_id().empty(), false);
  const std::unique_ptr<Communicator> host = make_serial_communicator();
  check(*make_staged_device_communicator(*host, *memory, 1000), *memory);
#ifdef SOJOURN_NCCL_LIBRARY
  // One rank of one device: NCCL takes no second one there.
  check(*make_nccl_communicator(nccl::load(SOJOURN_NCCL_LIBRARY), *host, *memory, {}), *memory);
#endif
  cudaStreamDestroy(stream);
}

}  // namespace
}  // namespace sojourn
