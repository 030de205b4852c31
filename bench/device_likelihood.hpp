#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sojourn::bench {

/// Log likelihoods of a data set of 1,000 times on CUDA device 0, from rates in host memory to values there.
struct DeviceLikelihoodRow {
  std::string name, mapping;  ///< threads or levels; steps: by uniformization
  bool gradient = false;
  std::size_t num_particles = 0;
  double microseconds = 0, low = 0, high = 0;  ///< of all particles, transfers included
  double host_microseconds = 0;                ///< the same on one CPU thread
  double worst_difference = 0;                 ///< relative, of values
  double multiply_adds = 0;                    ///< real ones a particle: of the transforms, or of the steps, alone
  std::int64_t num_on_cpu = 0;                 ///< particles that the device left to the CPU
};

/// @param profile  Each kernel once and nothing on the CPU beside it: for a profiler. @throws DeviceError.
std::vector<DeviceLikelihoodRow> measure_device_likelihoods(std::size_t num_particles, int repetitions, bool profile);

}  // namespace sojourn::bench
