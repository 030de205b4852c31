// What libFuzzer calls, for any reader.
#include <cstddef>
#include <cstdint>

#include "fuzz/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    sojourn::fuzz::read({bytes, size});
  } catch (const sojourn::Error&) {  // said to whoever gave it
  }
  return 0;
}
