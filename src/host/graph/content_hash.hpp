#pragma once

#include <xxhash.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "sojourn/state_graph.hpp"

namespace sojourn {

// Numbers are hashed as they lie in memory, and digests are the same on every machine.
static_assert(std::endian::native == std::endian::little, "a big-endian machine needs byte swaps here");

/// 128-bit XXH3 over values, fed through a buffer.
class ContentHash {
 public:
  ContentHash() : state_(XXH3_createState()) {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }
  void add(std::int64_t value) { add_bytes(&value, sizeof value); }
  /// 0 and -0 are one value.
  void add(double value) { add(std::bit_cast<std::int64_t>(value + 0.0)); }
  /// Length first, so that neighbouring texts cannot run into each other.
  void add(std::string_view text) {
    add(std::ssize(text));
    add_bytes(text.data(), text.size());
  }
  void add_bytes(const void* bytes, std::size_t count) {
    if (used_ + count > kBufferBytes) flush();
    if (count > kBufferBytes) {
      XXH3_128bits_update(state_.get(), bytes, count);
      return;
    }
    if (count > 0) std::memcpy(buffer_.get() + used_, bytes, count);
    used_ += count;
  }
  /// States, edges with base and coefficients, start: what every law of a graph depends on. Cost: O(edges).
  void add_chain(const StateGraph& graph) {
    add(std::int64_t{graph.num_states()});
    for (std::int32_t s = 0; s < graph.num_states(); ++s) {
      add(graph.edge_end(s) - graph.edge_begin(s));
      for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
        add(std::int64_t{graph.edge_to(e)});
        add(graph.base(e));
        add(std::ssize(graph.terms(e)));
        for (const RateTerm& term : graph.terms(e)) {
          add(std::int64_t{term.rate});
          add(term.coefficient);
        }
      }
    }
    add(std::ssize(graph.initial()));
    for (const InitialMass& mass : graph.initial()) {
      add(std::int64_t{mass.state});
      add(mass.probability);
    }
  }
  XXH128_hash_t digest() {
    flush();
    return XXH3_128bits_digest(state_.get());
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

}  // namespace sojourn
