#include "elimination/content_key.hpp"

#include <amd.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <memory>
#include <new>

namespace sojourn {
namespace {

// Keys and entries hold numbers as they lie in memory.
static_assert(std::endian::native == std::endian::little, "a big-endian machine needs byte swaps here");

/// Feeds trivially copyable values to XXH3 through a buffer.
class Hasher {
 public:
  explicit Hasher(const char* domain) : state_(XXH3_createState()) {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
    add_bytes(domain, std::strlen(domain) + 1);
  }
  void add(std::int64_t value) { add_bytes(&value, sizeof value); }
  /// 0 and -0 are one value.
  void add(double value) { add(std::bit_cast<std::int64_t>(value + 0.0)); }
  void add_bytes(const void* bytes, std::size_t count) {
    if (used_ + count > kBufferBytes) flush();
    if (count > kBufferBytes) {
      XXH3_128bits_update(state_.get(), bytes, count);
      return;
    }
    std::memcpy(buffer_.get() + used_, bytes, count);
    used_ += count;
  }
  ContentKey key() {
    flush();
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return {hash.high64, hash.low64};
  }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 14;
  void flush() {
    XXH3_128bits_update(state_.get(), buffer_.get(), used_);
    used_ = 0;
  }
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
  std::unique_ptr<unsigned char[]> buffer_ = std::make_unique<unsigned char[]>(kBufferBytes);
  std::size_t used_ = 0;
};

}  // namespace

std::string ContentKey::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

ContentKey key_of(const ComponentPattern& pattern) {
  Hasher hash("sojourn/component/1");
  // Another version of AMD may order otherwise, and the same bits are promised with and without the cache.
  hash.add(std::int64_t{AMD_VERSION_CODE(AMD_MAIN_VERSION, AMD_SUB_VERSION)} * 1000 + AMD_SUBSUB_VERSION);
  hash.add(std::int64_t{pattern.num_states()});
  hash.add_bytes(pattern.row_begin.data(), pattern.row_begin.size() * sizeof(std::int32_t));
  hash.add_bytes(pattern.column.data(), pattern.column.size() * sizeof(std::int32_t));
  return hash.key();
}

ContentKey key_of(const StateGraph& graph) {
  Hasher hash("sojourn/graph/1");
  hash.add(std::int64_t{graph.num_rates()});
  hash.add(std::int64_t{graph.num_states()});
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    hash.add(graph.edge_end(s) - graph.edge_begin(s));
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      hash.add(std::int64_t{graph.edge_to(e)});
      hash.add(graph.base(e));
      hash.add(std::ssize(graph.terms(e)));
      for (const RateTerm& term : graph.terms(e)) {
        hash.add(std::int64_t{term.rate});
        hash.add(term.coefficient);
      }
    }
  }
  hash.add(std::ssize(graph.initial()));
  for (const InitialMass& mass : graph.initial()) {
    hash.add(std::int64_t{mass.state});
    hash.add(mass.probability);
  }
  return hash.key();
}

}  // namespace sojourn
