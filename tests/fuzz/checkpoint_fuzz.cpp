#include <xxhash.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/reader.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn {

/// Checkpoints as they are, and with a right sum at their end: what can be read can be written and read again.
void fuzz::read(std::span<const unsigned char> bytes) {
  std::vector<unsigned char> file(bytes.begin(), bytes.end());
  for (const bool sealed : {false, true}) {
    XXH128_canonical_t sum;
    if (sealed && file.size() >= sizeof sum.digest) {
      const std::size_t before = file.size() - sizeof sum.digest;
      XXH128_canonicalFromHash(&sum, XXH3_128bits(file.data(), before));
      std::ranges::copy(sum.digest, file.begin() + static_cast<std::ptrdiff_t>(before));
    }
    try {
      const std::string again = encode_checkpoint(decode_checkpoint(std::as_bytes(std::span(file)), "input"));
      if (encode_checkpoint(decode_checkpoint(std::as_bytes(std::span(again)), "again")) != again)
        fail("a checkpoint changes when it is read");
    } catch (const Error&) {
    }
  }
}

}  // namespace sojourn
