#include "graph/state_table.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace sojourn {
namespace {

constexpr int kWordBits = 64;
constexpr std::size_t kFirstSlots = 1024;

int bits_for(std::int32_t lowest, std::int32_t highest) {
  const auto range = static_cast<std::uint64_t>(static_cast<std::int64_t>(highest) - lowest);
  return std::max(1, static_cast<int>(std::bit_width(range)));
}

}  // namespace

StateTable::StateTable(std::size_t num_variables)
    : num_variables_(num_variables),
      fields_(num_variables),
      lowest_(num_variables, 0),
      highest_(num_variables, 0),
      slots_(kFirstSlots, Slot{-1, 0}) {
  lay_out_fields();
}

std::uint64_t StateTable::mix(const Key& key) {
  // Multiply-fold of both words: every input bit reaches the low bits that choose the slot and the high bits of the
  // tag.
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(key.word[0] ^ 0x9e3779b97f4a7c15ULL) * 0xd1342543de82ef95ULL;
  const std::uint64_t low = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  const Wide second = static_cast<Wide>(low ^ key.word[1]) * 0xa0761d6478bd642fULL;
  return static_cast<std::uint64_t>(second) ^ static_cast<std::uint64_t>(second >> 64);
}

bool StateTable::pack(const std::int32_t* row, Key& key) const {
  std::uint64_t outside = 0;
  const auto pack_word = [&](std::size_t begin, std::size_t end) {
    std::uint64_t word = 0;
    for (std::size_t v = begin; v < end; ++v) {
      const Field field = fields_[v];
      const std::uint64_t value = static_cast<std::uint32_t>(row[v]) - static_cast<std::uint32_t>(field.offset);
      const std::uint64_t bits = value & 0xffffffffULL;
      outside |= bits >> field.width;
      word |= bits << field.shift;
    }
    return word;
  };
  key.word[0] = pack_word(0, num_low_);
  key.word[1] = pack_word(num_low_, num_variables_);
  return outside == 0;
}

StateTable::Key StateTable::hashed_key(std::span<const std::int32_t> row) const {
  const XXH128_hash_t hash = XXH3_128bits(row.data(), row.size_bytes());
  return {{hash.low64, hash.high64}};
}

bool StateTable::place_fields(std::span<const int> widths) {
  int word = 0, used = 0;
  num_low_ = num_variables_;
  for (std::size_t v = 0; v < num_variables_; ++v) {
    if (used + widths[v] > kWordBits) {
      if (++word == 2) return false;
      num_low_ = v;
      used = 0;
    }
    // Counts stay at or above 0; a variable that went below may go on, so it gets half of its spare range there.
    const std::int64_t range = static_cast<std::int64_t>(highest_[v]) - lowest_[v] + 1;
    const std::int64_t below = lowest_[v] < 0 ? ((std::int64_t{1} << widths[v]) - range) / 2 : 0;
    const std::int64_t offset = std::max<std::int64_t>(lowest_[v] - below, std::numeric_limits<std::int32_t>::min());
    fields_[v] = {.offset = static_cast<std::int32_t>(offset),
                  .shift = static_cast<std::uint8_t>(used),
                  .width = static_cast<std::uint8_t>(widths[v])};
    used += widths[v];
  }
  return true;
}

/// Gives every variable the bits it needs and shares out spare bits, so that growing values seldom force a new layout.
void StateTable::lay_out_fields() {
  std::vector<int> widths(num_variables_);
  for (std::size_t v = 0; v < num_variables_; ++v) widths[v] = bits_for(lowest_[v], highest_[v]);
  is_packed_ = num_variables_ <= 2 * kWordBits && place_fields(widths);
  if (!is_packed_) return;
  for (bool any_grew = true; any_grew;) {
    any_grew = false;
    for (std::size_t v = 0; v < num_variables_; ++v) {
      if (widths[v] == 32) continue;
      ++widths[v];
      if (place_fields(widths))
        any_grew = true;
      else
        --widths[v];
    }
  }
  place_fields(widths);
}

StateTable::Key StateTable::make_key(std::span<const std::int32_t> row) {
  Key key;
  if (!is_packed_) return hashed_key(row);
  if (pack(row.data(), key)) return key;
  for (std::size_t v = 0; v < num_variables_; ++v) {
    lowest_[v] = std::min(lowest_[v], row[v]);
    highest_[v] = std::max(highest_[v], row[v]);
  }
  // Values seen inside a field's slack count too, or the new layout could not hold a row that the old one held.
  for (std::int32_t s = 0; s < num_states(); ++s)
    for (std::size_t v = 0; v < num_variables_; ++v) {
      const std::int32_t value = variables_[s * num_variables_ + v];
      lowest_[v] = std::min(lowest_[v], value);
      highest_[v] = std::max(highest_[v], value);
    }
  lay_out_fields();
  for (std::int32_t s = 0; s < num_states(); ++s) {
    if (is_packed_)
      (void)pack(variables_.data() + s * num_variables_, keys_[s]);
    else
      keys_[s] = hashed_key(this->row(s));
  }
  rebuild(slots_.size());
  if (!is_packed_) return hashed_key(row);
  (void)pack(row.data(), key);
  return key;
}

void StateTable::rebuild(std::size_t num_slots) {
  slots_.assign(num_slots, Slot{-1, 0});
  const std::size_t mask = num_slots - 1;
  for (std::int32_t s = 0; s < num_states(); ++s) {
    const std::uint64_t hash = mix(keys_[s]);
    std::size_t place = hash & mask;
    while (slots_[place].state >= 0) place = (place + 1) & mask;
    slots_[place] = {s, static_cast<std::uint32_t>(hash >> 32)};
  }
}

std::int32_t StateTable::find_or_add(std::span<const std::int32_t> row) {
  const Key key = make_key(row);
  const std::uint64_t hash = mix(key);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t mask = slots_.size() - 1;
  std::size_t place = hash & mask;
  for (; slots_[place].state >= 0; place = (place + 1) & mask) {
    const Slot slot = slots_[place];
    if (slot.tag != tag || keys_[slot.state] != key) continue;
    if (is_packed_ || std::ranges::equal(row, this->row(slot.state))) return slot.state;
  }
  const std::int32_t state = num_states();
  slots_[place] = {state, tag};
  keys_.push_back(key);
  variables_.insert(variables_.end(), row.begin(), row.end());
  if (keys_.size() * 5 > slots_.size() * 3) rebuild(slots_.size() * 2);
  return state;
}

std::int64_t StateTable::num_bytes() const {
  return static_cast<std::int64_t>(variables_.capacity() * sizeof(std::int32_t) + keys_.capacity() * sizeof(Key) +
                                   slots_.capacity() * sizeof(Slot));
}

std::vector<std::int32_t> StateTable::take_variables() {
  keys_ = {};
  slots_.assign(kFirstSlots, Slot{-1, 0});
  return std::move(variables_);
}

}  // namespace sojourn
