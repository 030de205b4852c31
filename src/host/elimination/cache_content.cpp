#include <cstring>
#include <limits>

#include "elimination/cache_folder.hpp"
#include "elimination/entry_format.hpp"
#include "expects.hpp"
#include "sojourn/elimination.hpp"

namespace sojourn {
namespace {

std::int64_t sum_of_bytes(const std::vector<CacheFolder::File>& files) {
  std::int64_t sum = 0;
  for (const CacheFolder::File& file : files) sum += file.bytes;
  return sum;
}

/// The strictest question there is: would the component be given the same bytes today?
std::string fault_of_content(std::span<const unsigned char> bytes, const ContentKey& key) {
  SymbolicFactor factor;
  ComponentPattern pattern;
  std::string fault = decode_entry(bytes, key, nullptr, factor, &pattern);
  if (!fault.empty()) return fault;
  if (factor != factor_symbolically(pattern, std::numeric_limits<std::int64_t>::max()))
    return "it is not what the elimination of its component gives";
  return {};
}

CacheContent content_of(const std::string& root, bool whole) {
  const CacheFolder::Listing listing = CacheFolder::list(root);
  CacheContent content;
  content.folder = root;
  content.num_quarantined = std::ssize(listing.quarantined);
  content.bytes_quarantined = sum_of_bytes(listing.quarantined);
  content.num_unfinished = std::ssize(listing.unfinished);
  content.bytes_unfinished = sum_of_bytes(listing.unfinished);
  for (const CacheFolder::File& file : listing.entries) {
    const std::optional<CachedFile> read =
        CacheFolder::read_at(root, file.name, whole ? CacheFolder::kWhole : sizeof(EntryHeader));
    if (!read) continue;  // somebody has removed it meanwhile
    CacheEntry entry;
    entry.name = file.name;
    entry.bytes = file.bytes;
    entry.modified = file.modified;
    const ContentKey key = *CacheFolder::key_in(file.name);
    EntryHeader header;
    entry.fault = header_fault(read->bytes, whole ? std::ssize(read->bytes) : file.bytes, key, header);
    if (entry.fault.empty()) {
      entry.num_states = header.num_states;
      entry.num_edges = header.num_edges;
      entry.num_entries = header.num_entries;
      entry.num_pairs = header.num_pairs;
      if (whole) entry.fault = fault_of_content(read->bytes, key);
    }
    content.entries.push_back(std::move(entry));
  }
  return content;
}

}  // namespace

CacheContent list_cache(const std::string& folder) { return content_of(folder, false); }
CacheContent verify_cache(const std::string& folder) { return content_of(folder, true); }

CacheContent clear_cache(const std::string& folder) {
  CacheContent content = content_of(folder, false);
  CacheFolder::remove(folder, CacheFolder::list(folder));
  return content;
}

}  // namespace sojourn
