#pragma once

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#ifdef __GLIBC__  // known once a header of the library was read
#include <malloc.h>
#endif

namespace sojourn {

/// Resident memory now ("VmRSS:"), or at its height since `forget_past` ("VmHWM:"), in bytes; 0 where the system does
/// not tell.
inline double resident_memory(const char* key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key, 0) == 0) return 1024 * std::strtod(line.c_str() + std::strlen(key), nullptr);
  return 0;
}

/// Gives back what has been freed, which would be used again unseen, and starts a new height; false where the system
/// has none.
inline bool forget_past() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

}  // namespace sojourn
