#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "device/evaluation/device_program.hpp"
#include "device/evaluation/mapping.hpp"
#include "sojourn/matrix_view.hpp"
#include "sojourn/moment_device.hpp"

namespace sojourn {

/// How moments of a program go on the current device.
struct MomentWay {
  MomentLaneShape shape;  ///< with the program's own value slots
  Mapping mapping;
  std::int64_t lane_bytes = 0;  ///< parameters and results of one lane of a batch
  std::int64_t resident_lanes = 0;
};
/// `shape` of any program with as many rows. Kept with the program. @throws DeviceError.
MomentWay way_of_moments(const DeviceProgram& program, MomentLaneShape shape, std::int64_t num_lanes,
                         MappingChoice choice);

/// Moments of a batch of lanes, everything in device memory: `phi` [num_rates, n], `reward` [rows], by row.
struct MomentLaunch {
  const DeviceProgram* program;
  const double* reward;
  const double* phi;
  std::int64_t num_lanes;
  void* slots;  ///< [mapping.global_slots, resident lanes] of shape.slot_bytes(), or null
  MomentLaneOutput output;
};

/// Enqueues the batch on `stream`, a cudaStream_t. Lane l's bits depend on its phi alone, and not on the mapping.
/// @throws DeviceError where the launch fails.
void launch_moments(const MomentLaunch& launch, const MomentWay& way, void* stream);

/// Moments of parameter vectors in host memory on the current device: uploads, runs, downloads, waits.
///
/// @param reward    [rows], by row.
/// @param values    [K, order]; `gradient` [K, order, num_rates] and `in_doubt` [K] are empty where shape.gradient is
///   not set.
/// @param report    told of anything a user should know, such as batches halved for lack of memory.
/// @throws DeviceError; where memory is short only after halving the batch down to one block.
void moments_on_device(const DeviceProgram& program, const MomentLaneShape& shape, MatrixView<const double> phi,
                       std::span<const double> reward, std::span<double> values, std::span<double> gradient,
                       std::span<unsigned char> in_doubt, const std::function<void(const std::string&)>& report,
                       MappingChoice choice = MappingChoice::kAuto);

/// Moments of tensors of up to `most_vectors` rows on the current device; see `DeviceMoments::on_tensors`.
/// @throws DeviceError.
std::unique_ptr<TensorMoments> make_tensor_moments(std::shared_ptr<const DeviceProgram> program,
                                                   const MomentLaneShape& shape, std::span<const double> reward,
                                                   std::int64_t most_vectors,
                                                   MappingChoice choice = MappingChoice::kAuto);

}  // namespace sojourn
