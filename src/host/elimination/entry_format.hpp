#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elimination/content_key.hpp"
#include "elimination/symbolic_factor.hpp"

namespace sojourn {

/// A cache entry in memory: header, then pattern and factor. Little-endian; documented in docs/mathematics.md.
///
/// | part | content |
/// |---|---|
/// | `EntryHeader` | sizes and sums |
/// | int32 [n + 1], [edges] | the pattern, so that an entry proves whose it is |
/// | int32 [n] | order |
/// | int32 [n], [n] | lower and upper entries of each row |
/// | int32 [entries] | columns |
struct EntryHeader {
  char magic[8];
  std::uint32_t schema;
  std::uint32_t header_bytes;
  std::uint64_t key_high, key_low;
  std::int64_t file_bytes;
  std::int64_t num_states, num_edges, num_entries, num_pairs;
  std::uint64_t checksum_high, checksum_low;  ///< XXH3-128 of all bytes of the file, these two taken as 0
};
static_assert(sizeof(EntryHeader) == 88);

inline constexpr char kEntryMagic[8] = {'S', 'J', 'N', 'E', 'L', 'I', 'M', '\n'};
inline constexpr std::uint32_t kEntrySchema = 1;

std::vector<unsigned char> encode_entry(const ContentKey& key, const ComponentPattern& pattern,
                                        const SymbolicFactor& factor);

/// The fault of a header read from a file of `file_bytes`, whose name says `key`; empty where there is none.
std::string header_fault(std::span<const unsigned char> head, std::int64_t file_bytes, const ContentKey& key,
                         EntryHeader& header);

/// Reads an entry. Nothing in it is believed: sizes, key, checksum, pattern and factor are checked in this order.
/// @param wanted  the pattern it must be of; null takes the entry's own, whose key must be `key`.
/// @param own     gets the entry's own pattern; may be null.
/// @return the fault; `factor` and `own` hold the content only where it is empty.
std::string decode_entry(std::span<const unsigned char> bytes, const ContentKey& key, const ComponentPattern* wanted,
                         SymbolicFactor& factor, ComponentPattern* own = nullptr);

/// Sets the checksum of an entry to what its other bytes ask for.
void seal_entry(std::span<unsigned char> bytes);

}  // namespace sojourn
