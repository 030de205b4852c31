#include "comm/cuda_aware_mpi.hpp"

#include "expects.hpp"

namespace sojourn {

CudaAwareMpi cuda_aware_mpi_from(std::string_view text) {
  if (text.empty() || text == "auto") return CudaAwareMpi::kAuto;
  SOJOURN_EXPECTS(text == "0" || text == "1", UsageError, "SOJOURN_CUDA_AWARE_MPI='{}' must be 0, 1 or auto", text);
  return text == "1" ? CudaAwareMpi::kOn : CudaAwareMpi::kOff;
}

void expect_cuda_aware(const Communicator& host, CudaAwareMpi wish) {
  SOJOURN_EXPECTS(wish != CudaAwareMpi::kOn || host.takes_device_memory(), CommError,
                  "SOJOURN_CUDA_AWARE_MPI=1, but {} takes no device memory or does not say that it does; unset it, or "
                  "build with an MPI that is CUDA-aware (ompi_info --parsable -l 9 --all | grep cuda)",
                  host.name());
}

}  // namespace sojourn
