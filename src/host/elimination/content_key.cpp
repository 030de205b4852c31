#include "elimination/content_key.hpp"

#include <amd.h>
#include <fmt/format.h>

#include "graph/content_hash.hpp"

namespace sojourn {
namespace {

/// A hash that begins with what is hashed, a zero byte at its end.
ContentHash begin_hash(std::string_view domain) {
  ContentHash hash;
  hash.add_bytes(domain.data(), domain.size());
  hash.add_bytes("", 1);
  return hash;
}

ContentKey key(ContentHash& hash) {
  const XXH128_hash_t sum = hash.digest();
  return {sum.high64, sum.low64};
}

}  // namespace

std::string ContentKey::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

ContentKey key_of(const ComponentPattern& pattern) {
  ContentHash hash = begin_hash("sojourn/component/1");
  // Another version of AMD may order otherwise, and the same bits are promised with and without the cache.
  hash.add(std::int64_t{AMD_VERSION_CODE(AMD_MAIN_VERSION, AMD_SUB_VERSION)} * 1000 + AMD_SUBSUB_VERSION);
  hash.add(std::int64_t{pattern.num_states()});
  hash.add_bytes(pattern.row_begin.data(), pattern.row_begin.size() * sizeof(std::int32_t));
  hash.add_bytes(pattern.column.data(), pattern.column.size() * sizeof(std::int32_t));
  return key(hash);
}

ContentKey key_of(const StateGraph& graph) {
  ContentHash hash = begin_hash("sojourn/graph/1");
  hash.add(std::int64_t{graph.num_rates()});
  hash.add_chain(graph);
  return key(hash);
}

}  // namespace sojourn
