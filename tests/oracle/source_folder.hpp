#pragma once

#include <string>

namespace sojourn::oracle {

/// The project's folder, where tests read data. In a library of its own, so that no test's object depends on where the
/// project lies, and compiler caches serve several clones.
std::string source_folder();

}  // namespace sojourn::oracle
