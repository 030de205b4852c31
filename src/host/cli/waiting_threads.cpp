#include "cli/waiting_threads.hpp"

#include <unistd.h>

#include <cstdlib>

namespace sojourn::cli {

void let_waiting_threads_sleep(char** argv) {
#ifdef _OPENMP
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv("/proc/self/exe", argv);
#else
  static_cast<void>(argv);
#endif
}

}  // namespace sojourn::cli
