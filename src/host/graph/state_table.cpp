#include "graph/state_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace sojourn {
namespace {

constexpr int kWordBits = 64;
constexpr int kFirstShardBits = 4;

int bits_for(std::int32_t lowest, std::int32_t highest) {
  const auto range = static_cast<std::uint64_t>(static_cast<std::int64_t>(highest) - lowest);
  return std::max(1, static_cast<int>(std::bit_width(range)));
}

/// Visits the places below `count` where two rows differ, most of the time a few of many.
template <class Visit>
inline bool for_each_difference(const std::int32_t* a, const std::int32_t* b, std::size_t count, Visit&& visit) {
  constexpr std::size_t kStride = 8;
  std::size_t v = 0;
  for (; v + kStride <= count; v += kStride) {
    std::uint64_t x[kStride / 2], y[kStride / 2];
    std::memcpy(x, a + v, sizeof x);
    std::memcpy(y, b + v, sizeof y);
    if (((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0) continue;
    for (std::size_t i = v; i < v + kStride; ++i)
      if (a[i] != b[i] && !visit(i)) return false;
  }
  for (; v < count; ++v)
    if (a[v] != b[v] && !visit(v)) return false;
  return true;
}

}  // namespace

StateTable::StateTable(std::size_t num_variables)
    : num_variables_(num_variables),
      fields_(num_variables),
      lowest_(num_variables, 0),
      highest_(num_variables, 0),
      rows_(num_variables) {
  lay_out_fields();
  rebuild();
}

bool StateTable::pack(const std::int32_t* row, StateKey& key) const {
  std::uint64_t outside = 0;
  key = {};
  for (std::size_t v = 0; v < num_variables_; ++v) {
    const Field field = fields_[v];
    const std::uint64_t bits = static_cast<std::uint32_t>(row[v]) - static_cast<std::uint32_t>(field.offset);
    outside |= bits >> field.width;
    key.word[field.word] |= bits << field.shift;
  }
  return outside == 0;
}

bool StateTable::make_key(const std::int32_t* row, const std::int32_t* near, const StateKey& near_key,
                          StateKey& key) const {
  key = near_key;
  if (!is_packed_) {
    return for_each_difference(row, near, num_variables_, [&](std::size_t v) {
      if (!rows_.fits(row[v])) return false;
      change_hash(static_cast<std::int32_t>(v), near[v], row[v], key);
      return true;
    });
  }
  return for_each_difference(row, near, num_variables_, [&](std::size_t v) { return put(fields_[v], row[v], key); });
}

StateKey StateTable::hashed_key(const std::int32_t* row) const {
  StateKey key{};
  for (std::size_t v = 0; v < num_variables_; ++v) {
    const StateKey hash = known_hash(static_cast<std::int32_t>(v), row[v]);
    key.word[0] += hash.word[0];
    key.word[1] += hash.word[1];
  }
  return key;
}

bool StateTable::place_fields(std::span<const int> widths) {
  int word = 0, used = 0;
  for (std::size_t v = 0; v < num_variables_; ++v) {
    if (used + widths[v] > kWordBits) {
      if (++word == 2) return false;
      used = 0;
    }
    // Counts stay at or above 0; a variable that went below may go on, so it gets half of its spare range there.
    const std::int64_t range = static_cast<std::int64_t>(highest_[v]) - lowest_[v] + 1;
    const std::int64_t below = lowest_[v] < 0 ? ((std::int64_t{1} << widths[v]) - range) / 2 : 0;
    const std::int64_t offset = std::max<std::int64_t>(lowest_[v] - below, std::numeric_limits<std::int32_t>::min());
    fields_[v] = {.offset = static_cast<std::int32_t>(offset),
                  .shift = static_cast<std::uint8_t>(used),
                  .width = static_cast<std::uint8_t>(widths[v]),
                  .word = static_cast<std::uint8_t>(word)};
    used += widths[v];
  }
  return true;
}

/// Gives every variable the bits it needs and shares out spare bits, so that growing values seldom force a new layout.
void StateTable::lay_out_fields() {
  std::vector<int> widths(num_variables_);
  for (std::size_t v = 0; v < num_variables_; ++v) widths[v] = bits_for(lowest_[v], highest_[v]);
  is_packed_ = num_variables_ <= 2 * kWordBits && place_fields(widths);
  if (!is_packed_) {
    small_hashes_.clear();
    for (std::size_t v = 0; v < num_variables_; ++v)
      for (std::uint32_t value = 0; value < kSmallValues; ++value)
        small_hashes_.push_back(hash_of_value(static_cast<std::int32_t>(v), static_cast<std::int32_t>(value)));
    return;
  }
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

/// Takes the values that fields hold into the range that the next layout is for: what is inside a field's slack counts
/// too, or the new layout could not hold a row that the old one held.
void StateTable::widen_to_held() {
  // Of a field that begins at 0 the bits that any key uses are those of its largest value; one of 32 bits holds
  // negative ones as well.
  StateKey used{};
  for (const StateKey& key : keys_) {
    used.word[0] |= key.word[0];
    used.word[1] |= key.word[1];
  }
  for (std::size_t v = 0; v < num_variables_; ++v) {
    if (fields_[v].offset == 0 && fields_[v].width < 32) {
      highest_[v] = std::max(highest_[v], read(fields_[v], used));
      continue;
    }
    for (const StateKey& key : keys_) {
      lowest_[v] = std::min(lowest_[v], read(fields_[v], key));
      highest_[v] = std::max(highest_[v], read(fields_[v], key));
    }
  }
}

/// Moves what keys hold from the fields of before to those of now: at once what moves together.
void StateTable::pack_again(std::span<const Field> before) {
  struct Move {
    std::uint64_t mask;  ///< of the bits before
    int from, to, shift;
  };
  std::vector<Move> moves;
  std::vector<std::size_t> others;  // whose values begin elsewhere
  for (std::size_t v = 0; v < num_variables_; ++v) {
    const Field &old = before[v], &now = fields_[v];
    if (old.offset != now.offset) {
      others.push_back(v);
      continue;
    }
    const std::uint64_t mask = ((std::uint64_t{1} << old.width) - 1) << old.shift;
    const int shift = int{now.shift} - int{old.shift};
    const bool joins =
        !moves.empty() && moves.back().from == old.word && moves.back().to == now.word && moves.back().shift == shift;
    if (joins) {
      moves.back().mask |= mask;
    } else {
      moves.push_back({mask, old.word, now.word, shift});
    }
  }
  for (StateKey& key : keys_) {
    StateKey moved{};
    for (const Move& move : moves) {
      const std::uint64_t bits = key.word[move.from] & move.mask;
      moved.word[move.to] |= move.shift >= 0 ? bits << move.shift : bits >> -move.shift;
    }
    for (const std::size_t v : others) (void)put(fields_[v], read(before[v], key), moved);
    key = moved;
  }
}

void StateTable::make_room_for(std::span<const std::int32_t> row) {
  if (!is_packed_) return rows_.widen_for(row);
  const std::vector<Field> before = fields_;
  widen_to_held();
  for (std::size_t v = 0; v < num_variables_; ++v) {
    lowest_[v] = std::min(lowest_[v], row[v]);
    highest_[v] = std::max(highest_[v], row[v]);
  }
  lay_out_fields();
  if (is_packed_) {
    pack_again(before);
  } else {
    rows_ = IntegerRows(num_variables_);
    rows_.widen_for(row);
    rows_.reserve(keys_.size());
    std::vector<std::int32_t> values(num_variables_);
    for (StateKey& key : keys_) {
      for (std::size_t v = 0; v < num_variables_; ++v) values[v] = read(before[v], key);
      key = hashed_key(values.data());
      rows_.append(values);
    }
  }
  rebuild();
}

/// Puts all states into slots anew, of which no fewer are taken than before.
void StateTable::rebuild() {
  for (Shard& shard : shards_) shard = {};
  for (const StateKey& key : keys_) ++shards_[hash_of(key) >> kShardShift].num_used;
  std::size_t most_used = 0;
  for (const Shard& shard : shards_) most_used = std::max(most_used, shard.num_used);
  slots_.clear();
  reserve(most_used);
}

/// Room for `most_used` states in each shard at most 60 % full; only where nothing is entered and unsettled.
void StateTable::reserve(std::size_t most_used) {
  int bits = std::max(shard_bits_, kFirstShardBits);
  while (most_used * 5 > (std::size_t{3} << bits)) ++bits;
  if (bits == shard_bits_ && !slots_.empty()) return;
  const bool grows = !slots_.empty();
  const int old_bits = shard_bits_;
  shard_bits_ = bits;
  place_mask_ = (std::uint64_t{1} << bits) - 1;
  if (!grows) {
    slots_.assign(std::size_t{kNumShards} << bits, Slot{-1, 0});
    for (std::int32_t state = 0; state < num_states(); ++state) settle_slot(hash_of(keys_[state]), state);
    return;
  }
  // A slot's tag holds the bits that choose its place, so the keys, which lie elsewhere, need not be read.
  LargePageVector<Slot> old;
  old.swap(slots_);
  slots_.assign(std::size_t{kNumShards} << bits, Slot{-1, 0});
  for (std::size_t place = 0; place < old.size(); ++place) {
    if (old[place].state < 0) continue;
    settle_slot(std::uint64_t{place >> old_bits} << kShardShift | std::uint64_t{old[place].tag} << 32,
                old[place].state);
  }
}

std::int32_t StateTable::find_or_add(const StateKey& key, std::uint64_t hash, const std::uint8_t* row) {
  const std::int32_t known = find(key, hash, row);
  if (known >= 0) return known;
  reserve(++shards_[hash >> kShardShift].num_used);
  const std::int32_t state = num_states();
  settle_slot(hash, state);
  keys_.push_back(key);
  if (!is_packed_) {
    rows_.resize(static_cast<std::size_t>(state) + 1);
    std::memcpy(rows_.row(static_cast<std::size_t>(state)), row, rows_.row_bytes());
  }
  return state;
}

std::int32_t StateTable::find_or_add(std::span<const std::int32_t> row) {
  StateKey key;
  if (is_packed_ ? !pack(row.data(), key) : !rows_.fits(row)) make_room_for(row);
  if (is_packed_) {
    (void)pack(row.data(), key);
    return find_or_add(key, hash_of(key), nullptr);
  }
  key = hashed_key(row.data());
  std::vector<std::uint8_t> held(rows_.row_bytes());
  rows_.encode(row, held.data());
  return find_or_add(key, hash_of(key), held.data());
}

void StateTable::reserve_for(const NewRows& fresh) {
  std::size_t most_used = 0;
  for (int s = 0; s < kNumShards; ++s) most_used = std::max(most_used, shards_[s].num_used + fresh.of_shard[s].size());
  reserve(most_used);
}

void StateTable::enter(int shard_index, const NewRows& fresh, std::span<std::int32_t> first) {
  Shard& shard = shards_[shard_index];
  const std::vector<std::int32_t>& rows = fresh.of_shard[shard_index];
  const auto is_same = [&](std::int32_t a, std::int32_t b) {
    if (fresh.keys[a] != fresh.keys[b]) return false;
    if (is_packed_) return true;
    return equal(fresh.rows + static_cast<std::size_t>(a) * rows_.row_bytes(),
                 fresh.rows + static_cast<std::size_t>(b) * rows_.row_bytes());
  };
  for (const std::int32_t n : rows) {
    const auto tag = static_cast<std::uint32_t>(fresh.hashes[n] >> 32);
    std::size_t place = first_place(fresh.hashes[n]);
    first[n] = n;
    for (; slots_[place].state != -1; place = next_place(place)) {
      const Slot slot = slots_[place];
      if (slot.state >= 0 || slot.tag != tag || !is_same(-2 - slot.state, n)) continue;
      first[n] = -2 - slot.state;
      break;
    }
    if (first[n] != n) continue;
    slots_[place] = {-2 - n, tag};
    shard.entered.push_back(place);
  }
}

void StateTable::extend(std::int32_t num_states) {
  keys_.resize(num_states);
  if (!is_packed_) rows_.resize(static_cast<std::size_t>(num_states));
}

void StateTable::settle(int shard_index, const NewRows& fresh, std::span<const std::int32_t> number) {
  Shard& shard = shards_[shard_index];
  for (const std::size_t place : shard.entered) {
    const std::int32_t n = -2 - slots_[place].state;
    const std::int32_t state = number[n];
    slots_[place].state = state;
    keys_[state] = fresh.keys[n];
    if (is_packed_) continue;
    std::memcpy(rows_.row(static_cast<std::size_t>(state)),
                fresh.rows + static_cast<std::size_t>(n) * rows_.row_bytes(), rows_.row_bytes());
  }
  shard.num_used += shard.entered.size();
  shard.entered.clear();
}

void StateTable::forget_entered() { rebuild(); }

void StateTable::read_row(std::int32_t state, std::span<std::int32_t> row) const {
  if (!is_packed_) {
    return rows_.decode(rows_.row(static_cast<std::size_t>(state)), row);
  }
  const StateKey key = keys_[state];
  for (std::size_t v = 0; v < num_variables_; ++v) row[v] = read(fields_[v], key);
}

std::vector<std::int32_t> StateTable::row(std::int32_t state) const {
  std::vector<std::int32_t> values(num_variables_);
  read_row(state, values);
  return values;
}

std::int64_t StateTable::num_bytes() const {
  return static_cast<std::int64_t>(rows_.num_bytes() + keys_.capacity() * sizeof(StateKey) +
                                   slots_.capacity() * sizeof(Slot));
}

void StateTable::make_room_for_rows(std::int32_t end) {
  if (is_packed_) rows_.resize(static_cast<std::size_t>(end));
}

bool StateTable::keep_row(std::int32_t state, std::span<const std::int32_t> row) {
  if (!is_packed_) return true;
  if (!rows_.fits(row)) return false;
  rows_.encode(row, rows_.row(static_cast<std::size_t>(state)));
  return true;
}

IntegerRows StateTable::take_rows() {
  slots_ = {};
  IntegerRows rows = std::move(rows_);
  keys_ = {};
  rows_ = IntegerRows(num_variables_);
  shard_bits_ = 0;
  rebuild();
  return rows;
}

}  // namespace sojourn
