#include "sojourn/info.hpp"

#include <atomic>

#include "result/build_facts.hpp"

// The build system states what it found; without it (a plain compiler call) nothing is claimed.
#ifndef SOJOURN_VERSION
#define SOJOURN_VERSION "unknown"
#endif
#ifndef SOJOURN_BUILD_TYPE
#define SOJOURN_BUILD_TYPE "unknown"
#endif
#ifndef SOJOURN_CUDA_VERSION
#define SOJOURN_CUDA_VERSION ""
#endif
#ifndef SOJOURN_NCCL_VERSION
#define SOJOURN_NCCL_VERSION ""
#endif
#ifndef SOJOURN_MPI_VERSION
#define SOJOURN_MPI_VERSION ""
#endif

namespace sojourn {

namespace {

std::atomic<DeviceLister> device_lister{nullptr};

std::string compiler_name() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

void set_device_lister(DeviceLister lister) { device_lister = lister; }

BuildInfo build_facts() {
  BuildInfo info;
  info.version = SOJOURN_VERSION;
  info.compiler = compiler_name();
  info.build_type = SOJOURN_BUILD_TYPE;
#ifdef SOJOURN_HAVE_CUDA
  info.cuda = true;
#endif
#ifdef SOJOURN_HAVE_NCCL
  info.nccl = true;
#endif
#ifdef SOJOURN_HAVE_MPI
  info.mpi = true;
#endif
#ifdef _OPENMP
  info.openmp = true;
#endif
  info.cuda_version = SOJOURN_CUDA_VERSION;
  info.nccl_version = SOJOURN_NCCL_VERSION;
  info.mpi_version = SOJOURN_MPI_VERSION;
  return info;
}

BuildInfo build_info() {
  BuildInfo info = build_facts();
  if (const DeviceLister lister = device_lister) info.devices = lister();
  info.num_threads = resolve_num_threads();
  info.instruction_set = to_string(instruction_set());
  for (const InstructionSet set : usable_instruction_sets()) info.instruction_sets.emplace_back(to_string(set));
  return info;
}

}  // namespace sojourn
