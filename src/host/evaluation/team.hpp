#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace sojourn {

/// Threads for a request; 0 means what OpenMP gives. The command line resolves the environment before it asks.
inline int team_size(int requested) {
#ifdef _OPENMP
  return requested > 0 ? requested : omp_get_max_threads();
#else
  (void)requested;
  return 1;
#endif
}

/// Threads for so many multiply-adds: none is woken for less than what it takes to wake it. Measured on a virtual
/// machine of two cores: a second thread pays from 0.3 ms of one thread's work on, some 1.5 million multiply-adds.
inline int team_size(int requested, double multiply_adds) {
  constexpr double kMultiplyAddsOfAThread = 750'000;
  return static_cast<int>(
      std::clamp(multiply_adds / kMultiplyAddsOfAThread, 1.0, static_cast<double>(team_size(requested))));
}

/// Calls body(k) for k in [0, count) on a team of threads; rethrows the first exception after all have stopped.
template <class Body>
void for_each_particle(std::size_t count, int num_threads, Body&& body) {
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic, 1) num_threads(num_threads)
  for (std::size_t k = 0; k < count; ++k) {
    if (failed) continue;
    try {
      body(k);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sojourn
