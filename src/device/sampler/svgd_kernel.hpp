#pragma once

#include <cstdint>

namespace sojourn {

/// Largest dimension the kernel takes: sums live in registers, tiles in at most 64 KiB of shared memory.
inline constexpr int kMaxDeviceDimension = 16;

enum class DeviceKernel { kImq, kRbf };

/// phi of whitened particles on the device: phi_i = 1/n sum_j [ k s_j + slope (u_i - u_j) ] for rows
/// [row_begin, row_end). All arrays in device memory, [d, stride], particle index minor.
/// Sums are fp64 in an order fixed by n (see `svgd_block.hpp`), so the bits depend on neither timing nor row split.
/// @param stream  a cudaStream_t; the call only enqueues.
/// @throws DeviceError when the launch fails or d > kMaxDeviceDimension.
void launch_svgd_direction(DeviceKernel kernel, int dim, std::int64_t num_particles, std::int64_t stride,
                           double inverse_h2, const double* u, const double* s, std::int64_t row_begin,
                           std::int64_t row_end, double* phi, void* stream);

/// The same from and to host memory on the current device: uploads, runs, downloads, waits.
void svgd_direction_on_device(DeviceKernel kernel, int dim, std::int64_t num_particles, std::int64_t stride,
                              double inverse_h2, const double* u, const double* s, double* phi);

}  // namespace sojourn
