#include "oracle/source_folder.hpp"

namespace sojourn::oracle {

const char* const source_folder = SOJOURN_SOURCE_DIR;

}  // namespace sojourn::oracle
