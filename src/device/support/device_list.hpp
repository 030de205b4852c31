#pragma once

#include <string>
#include <vector>

namespace sojourn {

/// The CUDA devices this process may use, in the order of their numbers: "cuda:0 NVIDIA H200, 139 GiB". Empty where
/// there is no device or no usable driver. Opens no context.
std::vector<std::string> list_cuda_devices();

}  // namespace sojourn
