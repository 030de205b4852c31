#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sojourn::bench {

/// SVGD on CUDA device 0 beside the CPU.
struct DeviceIterationRow {
  std::string name;
  double seconds = 0, low = 0, high = 0;  ///< median and range of the repetitions, transfers included
  double host_seconds = 0;                ///< the same on the CPU with `host_threads`; of a part, multiplied up
  int host_threads = 1;
  std::int64_t num_resident = 0, num_halts = 0;  ///< iterations of a run
  double worst_difference = 0;                   ///< of directions from the CPU's, absolute
};

/// One direction of 100,000 particles and 4 parameters, a whole run of 1,000 particles on two demes of 5 samples with
/// 1,000 observations, and the load the parallel guide names. @param profile  Directions alone. @throws DeviceError.
std::vector<DeviceIterationRow> measure_device_iterations(int repetitions, bool profile);

}  // namespace sojourn::bench
