#include "fuzz/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t count) {
  try {
    sojourn::fuzz::read({bytes, count});
  } catch (const sojourn::Error&) {
  }
  return 0;
}
