#pragma once

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "sojourn/error.hpp"

namespace sojourn::fuzz {

/// One reader of the program on any bytes. It may throw an Error; anything else is a finding. Each `*_fuzz.cpp` defines
/// it, and is linked with mutate_corpus.cpp.
void read(std::span<const unsigned char> bytes);

inline std::string_view text_of(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Ends the program as a finding.
[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "finding: %s\n", what);
  std::abort();
}

}  // namespace sojourn::fuzz
