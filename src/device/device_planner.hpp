#pragma once

#include "cli/device_plan.hpp"

namespace sojourn {

/// The plan of a run on a device that need not be there: batches are made as on a device, on a machine that counts
/// their bytes (`PlannedMachine`). Its mapping, resident blocks and times are predicted as for an H200 (decision 0025);
/// kernels and directions as decision 0021 counts them. See `cli::DevicePlanner`.
cli::DevicePlan plan_on_device(Posterior& posterior, const SvgdOptions& options, std::int64_t num_ranks,
                               const cli::PlannedDevice& device);

}  // namespace sojourn
