#include "cli/bench_limits.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sojourn::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Independent sums: more than latency times issue width of any processor of today, and few enough for 16 registers.
constexpr int kSums = 12;

/// A loop of `num_rounds` rounds with kSums vector multiply-adds each; returns a number that keeps it alive. The
/// factor is below 1, so that values settle at a normal number and no round is faster than another.
using Loop = double (*)(std::int64_t num_rounds, double factor, double addend);
struct LoopOfWidth {
  Loop loop;
  int doubles;
  const char* name;
};

double portable_loop(std::int64_t num_rounds, double factor, double addend) {
  double sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = i;
  for (std::int64_t r = 0; r < num_rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * factor + addend;
  }
  double sum = 0;
  for (const double one : sums) sum += one;
  return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) double avx2_loop(std::int64_t num_rounds, double factor, double addend) {
  __m256d sums[kSums];
  const __m256d a = _mm256_set1_pd(factor), b = _mm256_set1_pd(addend);
  for (int i = 0; i < kSums; ++i) sums[i] = _mm256_set1_pd(i);
  for (std::int64_t r = 0; r < num_rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_fmadd_pd(sums[i], a, b);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm256_add_pd(sums[0], sums[i]);
  double lanes[4];
  _mm256_storeu_pd(lanes, sums[0]);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

__attribute__((target("avx512f"))) double avx512_loop(std::int64_t num_rounds, double factor, double addend) {
  __m512d sums[kSums];
  const __m512d a = _mm512_set1_pd(factor), b = _mm512_set1_pd(addend);
  for (int i = 0; i < kSums; ++i) sums[i] = _mm512_set1_pd(i);
  for (std::int64_t r = 0; r < num_rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_fmadd_pd(sums[i], a, b);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_pd(sums[0], sums[i]);
  double lanes[8];
  _mm512_storeu_pd(lanes, sums[0]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}
#endif

LoopOfWidth widest_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {avx512_loop, 8, "AVX-512"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {avx2_loop, 4, "AVX2 with FMA"};
#endif
  return {portable_loop, 1, "plain doubles"};
}

/// Wall time of body(thread, num_threads) on all threads at once, from when the last one is ready.
template <class Body>
double timed_team(int num_threads, const Body& body) {
  double seconds = 0;
#pragma omp parallel num_threads(num_threads)
  {
#ifdef _OPENMP
    const int thread = omp_get_thread_num(), team = omp_get_num_threads();
#else
    const int thread = 0, team = 1;
#endif
#pragma omp barrier
    const Clock::time_point start = Clock::now();
    body(thread, team);
#pragma omp barrier
#pragma omp master
    seconds = seconds_since(start);
  }
  return seconds;
}

/// Begin and end of a thread's part of `size` bytes.
std::pair<std::size_t, std::size_t> part_of(std::size_t size, int thread, int team) {
  const std::size_t part = size / team;
  return {part * thread, thread + 1 == team ? size : part * (thread + 1)};
}

}  // namespace

MachineProbe::MachineProbe(std::size_t copy_bytes, int num_threads)
    : copy_bytes_(copy_bytes), from_(new char[copy_bytes]), to_(new char[copy_bytes]) {
  timed_team(num_threads, [&](int thread, int team) {
    const auto [begin, end] = part_of(copy_bytes_, thread, team);
    std::memset(from_.get() + begin, 1, end - begin);
    std::memset(to_.get() + begin, 2, end - begin);
  });
}

double MachineProbe::multiply_adds_per_second(int num_threads, double seconds) const {
  const LoopOfWidth widest = widest_loop();
  const auto time_rounds = [&](std::int64_t num_rounds) {
    return timed_team(num_threads, [&](int, int) {
      volatile double keep = widest.loop(num_rounds, 0.999, 0.001);
      (void)keep;
    });
  };
  std::int64_t num_rounds = 100'000;
  double wall = time_rounds(num_rounds);
  num_rounds = std::max(num_rounds, static_cast<std::int64_t>(static_cast<double>(num_rounds) * seconds / wall));
  wall = time_rounds(num_rounds);
  return static_cast<double>(num_rounds) * kSums * widest.doubles * num_threads / wall;
}

double MachineProbe::copied_bytes_per_second(int num_threads, double seconds) {
  const auto copy = [&](int thread, int team) {
    const auto [begin, end] = part_of(copy_bytes_, thread, team);
    std::memcpy(to_.get() + begin, from_.get() + begin, end - begin);
  };
  double wall = 0;
  std::size_t num_copies = 0;
  while (num_copies == 0 || wall < seconds) {
    wall += timed_team(num_threads, copy);
    ++num_copies;
  }
  return 2.0 * static_cast<double>(copy_bytes_) * static_cast<double>(num_copies) / wall;
}

std::size_t MachineProbe::copy_size(std::size_t last_cache_bytes) {
  return std::clamp<std::size_t>(2 * last_cache_bytes, 64UL << 20, 512UL << 20);
}

std::string vector_name() { return widest_loop().name; }

}  // namespace sojourn::cli
