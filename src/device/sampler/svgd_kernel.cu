#include <algorithm>
#include <string>

#include "common/svgd_block.hpp"
#include "common/svgd_lanes.hpp"
#include "device/sampler/svgd_kernel.hpp"
#include "device/support/buffer.cuh"
#include "device/support/check.cuh"

namespace sojourn {
namespace {

using svgd_block::kBlockRows;
using svgd_block::kBlockSlices;
using svgd_block::kTileColumns;

/// Blocks a processor should hold: as many as the registers of kDim coordinates leave room for. Left to itself the
/// compiler spills a few registers for one block more.
constexpr int resident_blocks(int dim) { return dim <= 4 ? 4 : dim <= 9 ? 3 : 2; }

/// Threads (row, slice). A warp is the kBlockRows rows of one slice and owns that slice's tile, so that loading and
/// using a tile needs only the warp's own synchronisation. After the columns the same memory holds the slices' sums.
template <class Number, class PairKernel, int kDim>
__global__ void __launch_bounds__(kBlockRows* kBlockSlices, resident_blocks(kDim))
    svgd_direction_kernel(std::int64_t num_particles, std::int64_t stride, const double* __restrict__ bandwidth,
                          const double* __restrict__ u, const double* __restrict__ s, std::int64_t row_begin,
                          std::int64_t row_end, double* __restrict__ phi, const std::int32_t* guard) {
  if (guard != nullptr && *guard != 0) return;
  static_assert(kBlockRows == 32 && kTileColumns == 32, "one lane of a warp loads one column and owns one row");
  extern __shared__ double shared[];
  Number* const tiles_here = reinterpret_cast<Number*>(shared);
  const int lane = static_cast<int>(threadIdx.x);
  const int slice = static_cast<int>(threadIdx.y);
  const auto inverse_h2 = static_cast<Number>(*bandwidth);
  const std::int64_t first_row = row_begin + static_cast<std::int64_t>(blockIdx.x) * kBlockRows;
  const std::int64_t row = first_row + lane < row_end ? first_row + lane : row_end - 1;
  Number* tile_u = tiles_here + slice * 2 * kDim * kTileColumns;
  Number* tile_s = tile_u + kDim * kTileColumns;

  Number row_u[kDim];
  double sum[kDim];
#pragma unroll
  for (int c = 0; c < kDim; ++c) {
    row_u[c] = static_cast<Number>(u[c * stride + row]);
    sum[c] = 0;
  }
  const std::int64_t tiles = svgd_block::num_tiles(num_particles);
  for (std::int64_t tile = slice; tile < tiles; tile += kBlockSlices) {
    const int columns = svgd_block::tile_columns(tile, num_particles);
    __syncwarp();
    if (lane < columns) svgd_block::load_column(kDim, u, s, stride, tile, lane, tile_u, tile_s);
    __syncwarp();
    accumulate_tile<PairKernel, 1, kDim>(kDim, row_u, tile_u, tile_s, kTileColumns, columns, inverse_h2, sum);
  }

  __syncthreads();
#pragma unroll
  for (int c = 0; c < kDim; ++c) shared[(slice * kDim + c) * kBlockRows + lane] = sum[c];
  __syncthreads();
  if (first_row + lane >= row_end) return;
  const double inverse_n = 1.0 / static_cast<double>(num_particles);
  for (int c = slice; c < kDim; c += kBlockSlices)
    phi[c * stride + first_row + lane] = svgd_block::combine_slices(kDim, shared, c, lane, inverse_n);
}

template <class Number, class PairKernel, int kDim>
void launch(const DirectionLaunch& work, const std::int32_t* guard, cudaStream_t stream) {
  constexpr std::size_t kSharedBytes =
      std::max(sizeof(Number) * 2 * kTileColumns, sizeof(double) * kBlockRows) * kDim * kBlockSlices;
  if constexpr (kSharedBytes > 48 * 1024)
    SOJOURN_CUDA_TRY(cudaFuncSetAttribute(svgd_direction_kernel<Number, PairKernel, kDim>,
                                          cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(kSharedBytes)));
  const dim3 block(kBlockRows, kBlockSlices);
  const auto grid = static_cast<unsigned>(svgd_block::num_row_blocks(work.row_end - work.row_begin));
  svgd_direction_kernel<Number, PairKernel, kDim><<<grid, block, kSharedBytes, stream>>>(
      work.num_particles, work.stride, work.inverse_h2, work.u, work.s, work.row_begin, work.row_end, work.phi, guard);
  SOJOURN_CUDA_TRY(cudaGetLastError());
}

using Launcher = void (*)(const DirectionLaunch&, const std::int32_t*, cudaStream_t);

template <class Number, class PairKernel>
Launcher launcher_of(int dim) {
  static constexpr Launcher kLaunchers[svgd_lanes::kMostDimensions] = {
      launch<Number, PairKernel, 1>,  launch<Number, PairKernel, 2>,  launch<Number, PairKernel, 3>,
      launch<Number, PairKernel, 4>,  launch<Number, PairKernel, 5>,  launch<Number, PairKernel, 6>,
      launch<Number, PairKernel, 7>,  launch<Number, PairKernel, 8>,  launch<Number, PairKernel, 9>,
      launch<Number, PairKernel, 10>, launch<Number, PairKernel, 11>, launch<Number, PairKernel, 12>,
      launch<Number, PairKernel, 13>, launch<Number, PairKernel, 14>, launch<Number, PairKernel, 15>,
      launch<Number, PairKernel, 16>};
  return kLaunchers[dim - 1];
}

template <class Number>
Launcher launcher_of(const DirectionLaunch& work) {
  return work.imq ? launcher_of<Number, ImqKernel>(work.dimension) : launcher_of<Number, RbfKernel>(work.dimension);
}

}  // namespace

void launch_svgd_direction(const DirectionLaunch& work, const std::int32_t* guard, void* stream) {
  if (work.dimension < 1 || work.dimension > svgd_lanes::kMostDimensions)
    throw DeviceError("svgd on the device: dimension " + std::to_string(work.dimension) + " must be in 1.." +
                      std::to_string(svgd_lanes::kMostDimensions) + "; run the direction on the CPU");
  if (work.row_begin >= work.row_end) return;
  const Launcher run = work.mixed ? launcher_of<float>(work) : launcher_of<double>(work);
  run(work, guard, static_cast<cudaStream_t>(stream));
}

}  // namespace sojourn
