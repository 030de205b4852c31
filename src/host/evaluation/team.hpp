#pragma once

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
