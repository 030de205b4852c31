#include "elimination/entry_format.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstddef>
#include <cstring>
#include <limits>

namespace sojourn {
namespace {

constexpr std::int64_t kWord = sizeof(std::int32_t);

/// Bytes of a file of these sizes; all of them fit in 31 bits, or entries in 40.
std::int64_t bytes_of(const EntryHeader& header) {
  return static_cast<std::int64_t>(sizeof header) +
         kWord * ((header.num_states + 1) + header.num_edges + 3 * header.num_states + header.num_entries);
}

XXH128_hash_t checksum_of(std::span<const unsigned char> bytes) {
  EntryHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.checksum_high = header.checksum_low = 0;
  const XXH64_hash_t of_header = XXH3_64bits(&header, sizeof header);
  return XXH3_128bits_withSeed(bytes.data() + sizeof header, bytes.size() - sizeof header, of_header);
}

class Writer {
 public:
  explicit Writer(std::size_t bytes) { bytes_.reserve(bytes); }
  void add(const void* values, std::size_t count) {
    const auto* first = static_cast<const unsigned char*>(values);
    bytes_.insert(bytes_.end(), first, first + count);
  }
  void add(std::span<const std::int32_t> values) { add(values.data(), values.size_bytes()); }
  std::vector<unsigned char> take() { return std::move(bytes_); }

 private:
  std::vector<unsigned char> bytes_;
};

/// Takes arrays off the front of a payload whose length was checked.
class Reader {
 public:
  explicit Reader(const unsigned char* bytes) : bytes_(bytes) {}
  std::vector<std::int32_t> take(std::int64_t count) {
    std::vector<std::int32_t> values(count);
    if (count > 0) std::memcpy(values.data(), bytes_, count * kWord);
    bytes_ += count * kWord;
    return values;
  }

 private:
  const unsigned char* bytes_;
};

/// A pattern that may be handed to `key_of` and `fault_of`.
bool is_well_formed(const ComponentPattern& pattern) {
  const std::int32_t size = pattern.num_states();
  if (pattern.row_begin[0] != 0 || pattern.row_begin[size] != std::ssize(pattern.column)) return false;
  for (std::int32_t i = 0; i < size; ++i) {
    if (pattern.row_begin[i] > pattern.row_begin[i + 1]) return false;
  }
  for (const std::int32_t column : pattern.column) {
    if (column < 0 || column >= size) return false;
  }
  return true;
}

}  // namespace

std::vector<unsigned char> encode_entry(const ContentKey& key, const ComponentPattern& pattern,
                                        const SymbolicFactor& factor) {
  EntryHeader header{};
  std::memcpy(header.magic, kEntryMagic, sizeof header.magic);
  header.schema = kEntrySchema;
  header.header_bytes = sizeof header;
  header.key_high = key.high;
  header.key_low = key.low;
  header.num_states = pattern.num_states();
  header.num_edges = std::ssize(pattern.column);
  header.num_entries = factor.num_entries();
  header.num_pairs = factor.num_pairs;
  header.file_bytes = bytes_of(header);
  Writer writer(header.file_bytes);
  writer.add(&header, sizeof header);
  writer.add(pattern.row_begin);
  writer.add(pattern.column);
  writer.add(factor.order);
  std::vector<std::int32_t> lower(header.num_states), upper(header.num_states);
  for (std::int32_t i = 0; i < pattern.num_states(); ++i) {
    lower[i] = static_cast<std::int32_t>(factor.middle[i] - factor.begin[i]);
    upper[i] = static_cast<std::int32_t>(factor.begin[i + 1] - factor.middle[i]);
  }
  writer.add(lower);
  writer.add(upper);
  writer.add(factor.column);
  std::vector<unsigned char> bytes = writer.take();
  seal_entry(bytes);
  return bytes;
}

std::string header_fault(std::span<const unsigned char> head, std::int64_t file_bytes, const ContentKey& key,
                         EntryHeader& header) {
  header = {};
  if (file_bytes == 0) return "it is empty";
  if (head.size() < sizeof header) return fmt::format("it has {} bytes, less than a header", file_bytes);
  std::memcpy(&header, head.data(), sizeof header);
  if (std::memcmp(header.magic, kEntryMagic, sizeof header.magic) != 0) return "it is no cache entry (magic number)";
  if (header.schema != kEntrySchema)
    return fmt::format("its schema {} is {} than {}", header.schema, header.schema > kEntrySchema ? "newer" : "older",
                       kEntrySchema);
  if (header.header_bytes != sizeof header) return "its header has another size";
  if (header.key_high != key.high || header.key_low != key.low)
    return "its key is " + ContentKey{header.key_high, header.key_low}.hex();
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const bool sizes_fit = header.num_states >= 1 && header.num_states < kMost && header.num_edges >= 0 &&
                         header.num_edges < kMost && header.num_entries >= 0 && header.num_entries < (kMost << 9) &&
                         header.num_pairs >= 0;
  if (!sizes_fit || header.file_bytes != bytes_of(header)) return "its sizes do not fit together";
  if (header.file_bytes != file_bytes)
    return fmt::format("it has {} bytes and should have {}", file_bytes, header.file_bytes);
  return {};
}

std::string decode_entry(std::span<const unsigned char> bytes, const ContentKey& key, const ComponentPattern* wanted,
                         SymbolicFactor& factor, ComponentPattern* own) {
  factor = {};
  EntryHeader header;
  std::string fault = header_fault(bytes, std::ssize(bytes), key, header);
  if (!fault.empty()) return fault;
  const XXH128_hash_t sum = checksum_of(bytes);
  if (sum.high64 != header.checksum_high || sum.low64 != header.checksum_low) return "its checksum is wrong";

  Reader reader(bytes.data() + sizeof header);
  ComponentPattern pattern;
  pattern.row_begin = reader.take(header.num_states + 1);
  pattern.column = reader.take(header.num_edges);
  if (!is_well_formed(pattern)) return "the pattern in it is out of range";
  if (wanted != nullptr ? pattern != *wanted : key_of(pattern) != key) return "it is of another component";

  SymbolicFactor read;
  read.order = reader.take(header.num_states);
  const std::vector<std::int32_t> lower = reader.take(header.num_states), upper = reader.take(header.num_states);
  for (std::int64_t i = 0; i < header.num_states; ++i) {
    if (lower[i] < 0 || upper[i] < 0) return "a row in it has a negative length";
    read.middle.push_back(read.begin.back() + lower[i]);
    read.begin.push_back(read.middle.back() + upper[i]);
  }
  read.column = reader.take(header.num_entries);
  read.num_pairs = header.num_pairs;
  fault = fault_of(read, pattern);
  if (!fault.empty()) return fault;
  factor = std::move(read);
  if (own != nullptr) *own = std::move(pattern);
  return {};
}

void seal_entry(std::span<unsigned char> bytes) {
  const XXH128_hash_t sum = checksum_of(bytes);
  std::memcpy(bytes.data() + offsetof(EntryHeader, checksum_high), &sum.high64, sizeof sum.high64);
  std::memcpy(bytes.data() + offsetof(EntryHeader, checksum_low), &sum.low64, sizeof sum.low64);
}

}  // namespace sojourn
