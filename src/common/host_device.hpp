#pragma once

/// Marks a function that both the host compiler and nvcc compile. Such a function uses plain types alone, so that no
/// host library header enters a `.cu` file.
#if defined(__CUDACC__)
#define SOJOURN_HD __host__ __device__
#else
#define SOJOURN_HD
#endif

/// A short function of an inner loop, where a call would cost as much as the work.
#if defined(__CUDACC__)
#define SOJOURN_FORCE_INLINE __forceinline__
#else
#define SOJOURN_FORCE_INLINE __attribute__((always_inline)) inline
#endif

/// Keeps rare work out of the registers and the code of its caller, and long work out of many callers.
#if defined(__CUDACC__)
#define SOJOURN_NOINLINE __noinline__
#else
#define SOJOURN_NOINLINE __attribute__((noinline))
#endif

/// Forced inlining for a lambda, between its parameters and its body.
#if defined(__CUDACC__)
#define SOJOURN_INLINE_BODY
#else
#define SOJOURN_INLINE_BODY __attribute__((always_inline))
#endif

/// Before a loop over lanes: its iterations are independent and may become one vector instruction.
#if defined(__CUDACC__)
#define SOJOURN_LANE_LOOP
#else
#define SOJOURN_LANE_LOOP _Pragma("omp simd")
#endif
