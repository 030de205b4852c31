#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <memory>

#include "sojourn/model.hpp"

namespace sojourn {
namespace {

/// Feeds values to XXH3 in little-endian 64-bit words through a buffer, so that the digest is the same on every
/// machine.
class Hasher {
 public:
  Hasher() : state_(XXH3_createState()) {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
    buffer_.reserve(kBufferBytes);
  }

  void add(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (int byte = 0; byte < 8; ++byte) buffer_.push_back(static_cast<unsigned char>(bits >> (8 * byte)));
    if (buffer_.size() >= kBufferBytes) flush();
  }
  /// 0 and -0 are one value.
  void add(double value) { add(std::bit_cast<std::int64_t>(value + 0.0)); }
  /// Length first, so that neighbouring texts cannot run into each other.
  void add(const std::string& text) {
    add(static_cast<std::int64_t>(text.size()));
    buffer_.insert(buffer_.end(), text.begin(), text.end());
    if (buffer_.size() >= kBufferBytes) flush();
  }
  std::string hex() {
    flush();
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 16;
  void flush() {
    XXH3_128bits_update(state_.get(), buffer_.data(), buffer_.size());
    buffer_.clear();
  }
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
  std::vector<unsigned char> buffer_;
};

}  // namespace

std::string digest(const Model& model) {
  const StateGraph& graph = model.graph;
  Hasher hash;
  hash.add(std::string("sojourn/digest/1"));
  hash.add(std::int64_t{graph.time_kind() == TimeKind::kDiscrete});
  hash.add(std::int64_t{model.num_parameters()});
  for (const Parameter& parameter : model.parameters) {
    hash.add(parameter.name);
    hash.add(parameter.lower);
    hash.add(parameter.upper);
  }
  hash.add(model.rates.fingerprint());
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
  hash.add(std::ssize(graph.rewards()));
  for (const Reward& reward : graph.rewards()) {
    hash.add(reward.name);
    for (const double value : reward.values) hash.add(value);
  }
  return hash.hex();
}

}  // namespace sojourn
