#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/doctor_checks.hpp"
#include "sojourn/environment.hpp"

namespace sojourn::cli {

/// What a program that is linked with MPI can say of it.
struct MpiBackEndFacts {
  std::string (*library)() = nullptr;
  std::optional<bool> (*takes_device_memory)() = nullptr;
};
void set_mpi_facts(MpiBackEndFacts facts);
/// The name and version that the MPI in use gives itself; empty where the program is linked with none.
std::string mpi_library();

/// Looks at this machine; asks mpirun, srun and squeue where they are in PATH, for five seconds each at most. `ranks`
/// is left to the caller. @param results  output folder of a run; empty for none.
MachineFacts machine_facts(const std::string& results, const Environment& environment = process_environment());

/// "580.65.06" in the text of /proc/driver/nvidia/version; empty where there is none.
std::string driver_version(std::string_view text);
/// Of this machine's driver; empty where there is none.
std::string driver_here();
/// Why a driver cannot run programs of a CUDA toolkit, as "driver 470.57.02 is older than 580, which CUDA 13.0 needs";
/// empty where it can, or where there is none.
std::string old_driver_text(const std::string& driver, const std::string& cuda_version);

/// Reads the diagnostics of a run and its failure.json; never throws.
ResultFacts result_facts(const std::string& folder);

}  // namespace sojourn::cli
