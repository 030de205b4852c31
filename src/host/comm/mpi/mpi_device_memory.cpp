#include "comm/mpi/mpi_device_memory.hpp"

// The C interface alone: the C++ one is gone from the standard.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#if defined(OPEN_MPI) && OPEN_MPI
#include <mpi-ext.h>
#endif

namespace sojourn {

std::optional<bool> mpi_takes_device_memory() {
#if defined(OPEN_MPI) && OPEN_MPI && defined(MPIX_CUDA_AWARE_SUPPORT)
  return MPIX_Query_cuda_support() == 1;
#elif defined(MPIX_GPU_SUPPORT_CUDA)
  int running = 0, supported = 0;
  MPI_Initialized(&running);
  if (running == 0 || MPIX_GPU_query_support(MPIX_GPU_SUPPORT_CUDA, &supported) != MPI_SUCCESS) return {};
  return supported != 0;
#else
  return {};
#endif
}

}  // namespace sojourn
