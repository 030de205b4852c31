#pragma once

namespace sojourn::oracle {

/// The project's folder, where tests read data. In a library of its own, so that no test's object depends on where the
/// project lies, and compiler caches serve several clones.
extern const char* const source_folder;

}  // namespace sojourn::oracle
