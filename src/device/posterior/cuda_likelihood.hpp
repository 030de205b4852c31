#pragma once

#include <memory>

#include "sojourn/likelihood_device.hpp"

namespace sojourn {

/// Evaluates likelihoods on CUDA device number `index`. Evaluations run one after another on a stream of their own and
/// wait for their results. `report` is told of batches halved for lack of memory.
/// @throws DeviceError where there is no such device, or none that can be used.
std::shared_ptr<LikelihoodDevice> open_cuda_device(int index, LikelihoodDevice::Report report);

}  // namespace sojourn
