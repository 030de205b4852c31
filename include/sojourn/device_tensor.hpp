#pragma once

#include <cstdint>
#include <string>

#include "sojourn/error.hpp"

namespace sojourn {

/// An array in a device's memory that somebody else owns: one or two dimensions, strides in elements.
struct DeviceTensor {
  enum class Type : std::uint8_t { kDouble, kInt32 };
  void* data = nullptr;
  Type type = Type::kDouble;
  std::int32_t device = 0;  ///< number of the CUDA device; -1: host memory
  std::int32_t num_dims = 1;
  std::int64_t shape[2] = {0, 1};
  std::int64_t stride[2] = {1, 1};
};

/// What a DLPack tensor describes, without a copy. `Tensor` is `DLTensor` of DLPack's C header (github.com/dmlc/dlpack,
/// version 0.2 or later) or anything with members of these names; this library needs no header of DLPack's. The tensor
/// stays its owner's, who keeps it until the work that was enqueued on it is done.
/// @throws ShapeError unless it has one or two dimensions of doubles or 32-bit whole numbers; DeviceError unless it is
///   in CUDA or host memory.
template <class Tensor>
DeviceTensor tensor_from_dlpack(const Tensor& tensor) {
  constexpr int kCpu = 1, kCuda = 2, kManaged = 13, kInt = 0, kFloat = 2;
  const int where = static_cast<int>(tensor.device.device_type), code = static_cast<int>(tensor.dtype.code);
  if (where != kCpu && where != kCuda && where != kManaged)
    throw DeviceError("tensor on a device of DLPack type " + std::to_string(where) +
                      "; give one in CUDA (2) or host (1) memory");
  const bool is_double = code == kFloat && tensor.dtype.bits == 64, is_whole = code == kInt && tensor.dtype.bits == 32;
  if (tensor.dtype.lanes != 1 || (!is_double && !is_whole) || tensor.ndim < 1 || tensor.ndim > 2)
    throw ShapeError("tensor of " + std::to_string(tensor.ndim) + " dimensions, DLPack type code " +
                     std::to_string(code) + ", " + std::to_string(static_cast<int>(tensor.dtype.bits)) +
                     " bits; one or two dimensions of float64 or int32 are allowed");
  DeviceTensor view;
  view.data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  view.type = is_double ? DeviceTensor::Type::kDouble : DeviceTensor::Type::kInt32;
  view.device = where == kCpu ? -1 : static_cast<std::int32_t>(tensor.device.device_id);
  view.num_dims = tensor.ndim;
  for (int d = 0; d < tensor.ndim; ++d) view.shape[d] = tensor.shape[d];
  // Without strides it is row-major and compact.
  view.stride[tensor.ndim - 1] = 1;
  if (tensor.ndim == 2) view.stride[0] = view.shape[1];
  if (tensor.strides != nullptr)
    for (int d = 0; d < tensor.ndim; ++d) view.stride[d] = tensor.strides[d];
  return view;
}

}  // namespace sojourn
