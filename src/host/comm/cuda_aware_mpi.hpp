#pragma once

#include <cstdint>
#include <string_view>

#include "sojourn/communicator.hpp"

namespace sojourn {

/// What the environment says of messages from device memory by MPI.
enum class CudaAwareMpi : std::uint8_t { kOff, kOn, kAuto };

/// SOJOURN_CUDA_AWARE_MPI: 0, 1 or auto; empty counts as auto. @throws UsageError naming the value.
CudaAwareMpi cuda_aware_mpi_from(std::string_view text);

/// @throws CommError for `kOn` where the library behind `host` does not take device memory, or does not say that it
/// does: it would read the device's address as one of the host and crash.
void expect_cuda_aware(const Communicator& host, CudaAwareMpi wish);

}  // namespace sojourn
