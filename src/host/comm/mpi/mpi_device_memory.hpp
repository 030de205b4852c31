#pragma once

#include <optional>

namespace sojourn {

/// Whether this MPI sends and receives CUDA memory; nothing where it does not say, as MPICH before it runs. Built with
/// MPI alone.
std::optional<bool> mpi_takes_device_memory();

}  // namespace sojourn
