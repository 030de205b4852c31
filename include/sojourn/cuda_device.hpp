#pragma once

#include "sojourn/device.hpp"

namespace sojourn {

/// Everything that CUDA device number `index` does for a program: log likelihoods, moments, directions and draws, for
/// `Posterior::use_device`, `Evaluator::use_device` and the like. Of the library `sojourn::device`, which a build with
/// CUDA installs beside `sojourn::sojourn`.
///
/// Calls of one part run one after another on a stream of its own and wait for their results; only those that take
/// tensors and a stream work on the caller's, which must not be under capture. Each call makes the device the calling
/// thread's current one and the caller's current again before it returns, so that calls may come from any thread,
/// whatever device is current there.
///
/// @param index   As CUDA counts them, from 0 on.
/// @param report  Told, in words, of batches and blocks that are smaller for lack of memory. May be empty.
/// @throws DeviceError where there is no such device, or none that can be used.
/// Cost: wakes the device where nobody has, about a second.
Device open_cuda_device(int index, LikelihoodDevice::Report report);

}  // namespace sojourn
