#pragma once

#include "device/cuda_machine.cuh"
#include "sojourn/device_posterior.hpp"

namespace sojourn {

struct ParameterTables;

/// A run's particles beside the level that evaluates their likelihoods, which outlives them and whose memory they
/// share.
/// @throws DeviceError.
std::unique_ptr<DeviceCloud> make_cuda_cloud(CudaMachine& machine, LikelihoodBatch<CudaMachine>& likelihood,
                                             const ParameterTables& parameters, const SvgdOptions& options,
                                             const std::string& name, const LikelihoodDevice::Report& report);

/// The same for callers who bring their particles. @throws DeviceError.
std::unique_ptr<DevicePosterior> make_cuda_posterior(CudaMachine& machine, LikelihoodBatch<CudaMachine>& likelihood,
                                                     const ParameterTables& parameters, std::int64_t most_particles,
                                                     const LikelihoodDevice::Report& report);

}  // namespace sojourn
