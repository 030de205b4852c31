#pragma once

#include <memory>

#include "comm/cuda_aware_mpi.hpp"
#include "device/comm/device_communicator.hpp"

namespace sojourn {

/// Gives the device's pointers to `host`, which takes them: CUDA-aware MPI. Both outlive the communicator.
/// @throws CommError where `host` takes no device memory.
std::unique_ptr<DeviceCommunicator> make_direct_device_communicator(Communicator& host, DeviceMemory& memory);

/// Copies to the host, speaks there, and copies back, `chunk_bytes` at a time, so that device arrays of any size need
/// little memory on the host. Works with every communicator. Both outlive it. @throws UsageError unless chunk_bytes is
/// a multiple of 8 above 0.
std::unique_ptr<DeviceCommunicator> make_staged_device_communicator(Communicator& host, DeviceMemory& memory,
                                                                    std::size_t chunk_bytes = std::size_t{64} << 20);

/// Direct where the library takes device memory, unless `kOff`; else staged.
/// @throws CommError as `expect_cuda_aware` does.
std::unique_ptr<DeviceCommunicator> make_host_route(Communicator& host, DeviceMemory& memory, CudaAwareMpi wish);

}  // namespace sojourn
