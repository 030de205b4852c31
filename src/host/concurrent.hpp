#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace sojourn {

/// Threads that OpenMP would take now.
inline int num_available_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Calls body(k, thread) for k in [0, count), handed out in ascending order; rethrows the exception of the smallest k
/// that has one, which does not depend on the threads.
template <class Body>
void for_each_concurrently(std::size_t count, [[maybe_unused]] int num_threads, Body&& body) {
  std::mutex mutex;
  std::exception_ptr failure;
  std::atomic<std::size_t> first_failure{count};
#pragma omp parallel for schedule(dynamic, 1) num_threads(num_threads) if (num_threads > 1)
  for (std::size_t k = 0; k < count; ++k) {
    if (k > first_failure) continue;
    try {
#ifdef _OPENMP
      body(k, omp_get_thread_num());
#else
      body(k, 0);
#endif
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (k < first_failure) {
        first_failure = k;
        failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sojourn
