#include "oracle/source_folder.hpp"

#include <cstdlib>

namespace sojourn::oracle {

std::string source_folder() {
  // Binaries that were built elsewhere are told where the references are.
  const char* const named = std::getenv("SOJOURN_SOURCE_DIR");
  return named != nullptr ? named : SOJOURN_SOURCE_DIR;
}

}  // namespace sojourn::oracle
