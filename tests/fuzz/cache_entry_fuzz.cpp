#include <cstring>
#include <vector>

#include "elimination/entry_format.hpp"
#include "fuzz/reader.hpp"

namespace sojourn {

/// What a reader of the cache does with a file whose name is right and, the second time, whose checksum is, too: what
/// passes has to be safe to eliminate with.
void fuzz::read(std::span<const unsigned char> bytes) {
  std::vector<unsigned char> entry(bytes.begin(), bytes.end());
  for (const bool sealed : {false, true}) {
    ContentKey key{};
    if (entry.size() >= sizeof(EntryHeader)) {
      if (sealed) seal_entry(entry);
      EntryHeader header;
      std::memcpy(&header, entry.data(), sizeof header);
      key = {header.key_high, header.key_low};
    }
    SymbolicFactor factor;
    ComponentPattern pattern;
    if (!decode_entry(entry, key, nullptr, factor, &pattern).empty()) continue;
    std::vector<std::uint32_t> pairs_of(factor.num_entries());
    std::vector<PrcPair> pairs(factor.num_pairs);
    if (write_pairs(factor, pattern, pairs_of, pairs) != is_exact_fill(factor, pattern)) fail("two checks disagree");
  }
}

}  // namespace sojourn
