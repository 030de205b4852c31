#include <algorithm>
#include <vector>

#include "device/evaluation/moment_kernel.hpp"
#include "device/evaluation/moment_level_kernel.hpp"
#include "device/support/blocks.hpp"
#include "device/support/buffer.cuh"
#include "device/support/check.cuh"
#include "device/support/occupancy.cuh"
#include "elimination/prc_arrays.hpp"

namespace sojourn {
namespace {

/// Blocks a processor should hold. Left to itself the compiler makes do with 64 registers, for more blocks than slots
/// leave room for, and fetches one number after the other (decision 0041).
constexpr int kResidentMomentBlocks = 4;

/// One thread is one lane; blocks stride over the batch where fewer are resident than there are lanes.
template <class Number, int kOrder, SlotPlacement kPlacement>
__global__ void __launch_bounds__(kLargestBlock, kResidentMomentBlocks)
    moment_kernel(const PrcView prc, const MomentLaneShape shape, const double* __restrict__ reward,
                  const double* __restrict__ phi, std::int64_t num_lanes, void* __restrict__ slots,
                  const MomentLaneOutput output) {
  extern __shared__ double shared[];
  const std::int64_t resident = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t own = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Strided<Number> in_shared{reinterpret_cast<Number*>(shared) + threadIdx.x, blockDim.x};
  const Strided<Number> in_global{static_cast<Number*>(slots) + own, resident};
  const MomentLaneSlots places = shape.slots(prc);
  // `plan_moments` puts programs with fronts into global memory, where their factors would be anyway.
  constexpr bool kFronts = kPlacement == SlotPlacement::kGlobal;
  for (std::int64_t lane = own; lane < num_lanes; lane += resident) {
    if constexpr (kPlacement == SlotPlacement::kShared) {
      moment_lane<kOrder, kFronts>(prc, shape, reward, phi, num_lanes, lane, in_shared,
                                   in_shared.from(places.rate + places.factor), output);
    } else if constexpr (kPlacement == SlotPlacement::kSharedFactors) {
      moment_lane<kOrder, kFronts>(prc, shape, reward, phi, num_lanes, lane, in_shared, in_global, output);
    } else {
      moment_lane<kOrder, kFronts>(prc, shape, reward, phi, num_lanes, lane, in_global,
                                   in_global.from(places.rate + places.factor), output);
    }
  }
}

using Kernel = void (*)(PrcView, MomentLaneShape, const double*, const double*, std::int64_t, void*, MomentLaneOutput);

template <class Number, int kOrder>
Kernel kernel_of(SlotPlacement placement) {
  switch (placement) {
    case SlotPlacement::kShared:
      return moment_kernel<Number, kOrder, SlotPlacement::kShared>;
    case SlotPlacement::kSharedFactors:
      return moment_kernel<Number, kOrder, SlotPlacement::kSharedFactors>;
    default:
      return moment_kernel<Number, kOrder, SlotPlacement::kGlobal>;
  }
}

Kernel kernel_of(const MomentLaneShape& shape, SlotPlacement placement) {
  static_assert(kMostLaneOrder == 4 && kMostSingleOrder == 2);
  const int most = shape.single ? kMostSingleOrder : kMostLaneOrder;
  if (shape.order < 1 || shape.order > most)
    throw DeviceError("moments on the device: order " + std::to_string(shape.order) + " must be in 1.." +
                      std::to_string(most) + "; compute higher orders on the CPU");
  if (shape.single)
    return shape.order == 1 ? kernel_of<WatchedSingle, 1>(placement) : kernel_of<WatchedSingle, 2>(placement);
  switch (shape.order) {
    case 1:
      return kernel_of<double, 1>(placement);
    case 2:
      return kernel_of<double, 2>(placement);
    case 3:
      return kernel_of<double, 3>(placement);
    default:
      return kernel_of<double, 4>(placement);
  }
}

/// Device memory of one batch.
struct Batch {
  DeviceBuffer<double> phi, values, gradient;
  DeviceBuffer<unsigned char> slots, in_doubt;

  Batch(const MomentWay& way, std::size_t num_rates, std::int64_t num_lanes, std::int64_t resident) {
    const auto lanes = static_cast<std::size_t>(num_lanes), order = static_cast<std::size_t>(way.shape.order);
    phi = DeviceBuffer<double>(num_rates * lanes);
    values = DeviceBuffer<double>(order * lanes);
    slots = DeviceBuffer<unsigned char>(
        static_cast<std::size_t>(way.mapping.global_slots * resident * way.shape.slot_bytes()));
    if (!way.shape.gradient) return;
    gradient = DeviceBuffer<double>(order * num_rates * lanes);
    in_doubt = DeviceBuffer<unsigned char>(lanes);
  }
};

/// Rows of a batch to and from lane-minor arrays.
void to_lanes(MatrixView<const double> rows, std::size_t first, std::size_t count, std::vector<double>& lanes) {
  const std::size_t width = rows.num_cols();
  lanes.resize(width * count);
  for (std::size_t l = 0; l < count; ++l)
    for (std::size_t c = 0; c < width; ++c) lanes[c * count + l] = rows(first + l, c);
}
void from_lanes(const std::vector<double>& lanes, std::size_t width, std::size_t first, std::size_t count,
                std::span<double> rows) {
  for (std::size_t l = 0; l < count; ++l)
    for (std::size_t c = 0; c < width; ++c) rows[(first + l) * width + c] = lanes[c * count + l];
}

}  // namespace

MomentWay way_of_moments(const DeviceProgram& program, MomentLaneShape shape, std::int64_t num_lanes,
                         MappingChoice choice) {
  shape.num_value_slots = program.arrays().num_value_slots;
  MomentWay way{shape};
  const std::int64_t bucket = lanes_of_same_mapping(program.arrays(), num_lanes);
  const std::string key = "moments " + std::to_string(shape.order) +
                          (shape.single     ? " single "
                           : shape.gradient ? " gradient "
                                            : " ") +
                          std::to_string(bucket) + " " + std::to_string(static_cast<int>(choice));
  way.mapping = program.remember(
      key, [&] { return map_moments(program.arrays(), shape, bucket, current_device_size(), choice); });
  way.lane_bytes = moment_lane_bytes(program.view(), shape);
  const int lanes = way.mapping.lanes_per_block;
  way.resident_lanes = lanes * (way.mapping.by_levels ? resident_level_blocks(shape, way.mapping)
                                                      : resident_blocks(kernel_of(shape, way.mapping.placement), lanes,
                                                                        way.mapping.shared_bytes));
  return way;
}

void launch_moments(const MomentLaunch& launch, const MomentWay& way, void* stream) {
  if (launch.num_lanes == 0) return;
  const Mapping& mapping = way.mapping;
  const std::int64_t blocks =
      std::min(mapping.num_blocks(launch.num_lanes), way.resident_lanes / mapping.lanes_per_block);
  if (mapping.by_levels) {
    launch_moment_levels(launch.program->levels(mapping.level), way.shape, mapping, launch.reward, launch.phi,
                         launch.num_lanes, blocks, launch.slots, launch.output, stream);
    return;
  }
  const Kernel kernel = kernel_of(way.shape, mapping.placement);
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(mapping.lanes_per_block), mapping.shared_bytes,
           static_cast<cudaStream_t>(stream)>>>(launch.program->view(), way.shape, launch.reward, launch.phi,
                                                launch.num_lanes, launch.slots, launch.output);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

void moments_on_device(const DeviceProgram& program, const MomentLaneShape& shape, MatrixView<const double> phi,
                       std::span<const double> reward, std::span<double> values, std::span<double> gradient,
                       std::span<unsigned char> in_doubt, const std::function<void(const std::string&)>& report,
                       MappingChoice choice) {
  const auto num_lanes = static_cast<std::int64_t>(phi.num_rows());
  if (num_lanes == 0) return;
  const std::size_t num_rates = phi.num_cols(), order = static_cast<std::size_t>(shape.order);
  const MomentWay way = way_of_moments(program, shape, num_lanes, choice);
  const int lanes_per_block = way.mapping.lanes_per_block;
  const DeviceStream stream;
  DeviceBuffer<double> device_reward(reward.size());
  device_reward.upload(reward, stream.get());
  std::size_t free_bytes = 0, total_bytes = 0;
  SOJOURN_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
  const std::int64_t batch =
      batch_lanes({lanes_per_block, way.mapping.global_slots, way.lane_bytes, way.shape.slot_bytes()}, num_lanes,
                  way.resident_lanes, free_bytes);
  std::vector<double> lanes;
  for_each_batch(num_lanes, batch, lanes_per_block, report, [&](std::int64_t first, std::int64_t count) {
    const std::int64_t in_work = std::min(way.resident_lanes, way.mapping.num_blocks(count) * lanes_per_block);
    Batch memory(way, num_rates, count, in_work);
    const auto size = static_cast<std::size_t>(count), begin = static_cast<std::size_t>(first);
    to_lanes(phi, begin, size, lanes);
    memory.phi.upload(lanes, stream.get());
    launch_moments({&program,
                    device_reward.data(),
                    memory.phi.data(),
                    count,
                    memory.slots.data(),
                    {memory.values.data(), memory.gradient.data(), memory.in_doubt.data()}},
                   way, stream.get());
    const auto fetch = [&](const DeviceBuffer<double>& from, std::size_t width, std::span<double> to) {
      lanes.resize(width * size);
      from.download(lanes, stream.get());
      stream.synchronize();
      from_lanes(lanes, width, begin, size, to);
    };
    fetch(memory.values, order, values);
    if (!shape.gradient) return;
    fetch(memory.gradient, order * num_rates, gradient);
    memory.in_doubt.download(in_doubt.subspan(begin, size), stream.get());
    stream.synchronize();
  });
}

}  // namespace sojourn
