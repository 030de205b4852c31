#pragma once

/// Marks a function that both the host compiler and nvcc compile. Such a function uses plain types alone, so that no
/// host library header enters a `.cu` file.
#if defined(__CUDACC__)
#define SOJOURN_HD __host__ __device__
#else
#define SOJOURN_HD
#endif

/// Before a loop over lanes: its iterations are independent and may become one vector instruction.
#if defined(__CUDACC__)
#define SOJOURN_LANE_LOOP
#else
#define SOJOURN_LANE_LOOP _Pragma("omp simd")
#endif
