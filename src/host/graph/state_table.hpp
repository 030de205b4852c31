#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/large_page_vector.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/growing_array.hpp"
#include "sojourn/integer_rows.hpp"

namespace sojourn {

/// A packed row, or its hash where the bits do not fit.
struct StateKey {
  std::uint64_t word[2];
  bool operator==(const StateKey&) const = default;
};

/// The states found so far, each a row of integers, with a look-up from row to index.
///
/// A row is packed into a 128-bit key while the bits that the values seen need fit: every variable has a field, and a
/// value outside its field lays the fields out anew with room to spare and packs all rows again. The key is then all
/// that is kept of a row. Where 128 bits cannot hold the fields the key is a hash, rows are kept as well, and a hit is
/// confirmed against them. Keys are found by linear probing in shards of (index, tag) at most 60 % full, by the high
/// bits of the key's hash: different shards may be written by different threads. Cost: O(num_variables) a look-up; 16
/// bytes a state for the key and 13 to 27 for the table, and the row, of one to four bytes a value, where it is hashed.
class StateTable {
 public:
  explicit StateTable(std::size_t num_variables);

  /// Index of the row, appended if it is new.
  std::int32_t find_or_add(std::span<const std::int32_t> row);
  [[nodiscard]] std::int32_t num_states() const { return static_cast<std::int32_t>(keys_.size()); }
  void read_row(std::int32_t state, std::span<std::int32_t> row) const;
  [[nodiscard]] std::vector<std::int32_t> row(std::int32_t state) const;
  [[nodiscard]] const StateKey& key(std::int32_t state) const { return keys_[state]; }
  [[nodiscard]] bool is_packed() const { return is_packed_; }
  [[nodiscard]] std::int64_t num_bytes() const;
  /// Keeps rows that were read, so that they need not be unpacked again. Different rows may be kept by different
  /// threads, once there is room for those below `end`.
  void make_room_for_rows(std::int32_t end);
  /// @return false where a value needs more bytes than rows have; `widen_rows` then gives them.
  [[nodiscard]] bool keep_row(std::int32_t state, std::span<const std::int32_t> row);
  void widen_rows(std::span<const std::int32_t> row) { rows_.widen_for(row); }
  /// The rows kept: of all states where keys are hashes.
  [[nodiscard]] const IntegerRows& rows() const { return rows_; }
  /// Gives the rows away; the table is empty afterwards.
  IntegerRows take_rows();

  /// Key of a row given one of another row and its key: cheap where they differ in few places.
  /// @return false where a value does not fit its field, or a row; `make_room_for` then lays the fields out anew.
  [[nodiscard]] bool make_key(const std::int32_t* row, const std::int32_t* near, const StateKey& near_key,
                              StateKey& key) const;
  /// The same for the row that changes made of the other one.
  [[nodiscard]] bool make_key(std::span<const VariableChange> changes, const std::int32_t* row,
                              const std::int32_t* near, const StateKey& near_key, StateKey& key) const {
    key = near_key;
    if (!is_packed_) {
      for (std::size_t c = 0; c < changes.size(); ++c) {
        const std::int32_t v = changes[c].variable;
        bool seen = false;
        for (std::size_t b = 0; b < c; ++b) seen = seen || changes[b].variable == v;
        if (seen) continue;
        if (static_cast<std::uint32_t>(row[v]) >= kSmallValues && !rows_.fits(row[v])) return false;
        change_hash(v, near[v], row[v], key);
      }
      return true;
    }
    for (const VariableChange& change : changes)
      if (!put(fields_[change.variable], row[change.variable], key)) return false;
    return true;
  }
  /// Changes keys, and may turn packed keys into hashes.
  void make_room_for(std::span<const std::int32_t> row);
  static std::uint64_t hash_of(const StateKey& key) {
    // Multiply-fold of both words: every input bit reaches the low bits that choose the slot and the high bits of shard
    // and tag.
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(key.word[0] ^ 0x9e3779b97f4a7c15ULL) * 0xd1342543de82ef95ULL;
    const std::uint64_t low = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    const Wide second = static_cast<Wide>(low ^ key.word[1]) * 0xa0761d6478bd642fULL;
    return static_cast<std::uint64_t>(second) ^ static_cast<std::uint64_t>(second >> 64);
  }
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[first_place(hash)]); }
  /// To follow on `prefetch` a little later: the key that a look-up will most likely compare.
  void prefetch_key(std::uint64_t hash) const {
    constexpr std::size_t kLine = 64;
    const std::int32_t state = slots_[first_place(hash)].state;
    if (state < 0) return;
    __builtin_prefetch(&keys_[state]);
    if (is_packed_) return;
    const std::uint8_t* const row = rows_.row(static_cast<std::size_t>(state));
    for (std::size_t byte = 0; byte < rows_.row_bytes(); byte += kLine) __builtin_prefetch(row + byte);
  }
  /// -1 where there is none. `row`, as `rows()` has them, is read where keys are hashes alone.
  [[nodiscard]] std::int32_t find(const StateKey& key, std::uint64_t hash, const std::uint8_t* row) const {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t place = first_place(hash); slots_[place].state >= 0; place = next_place(place)) {
      const Slot slot = slots_[place];
      if (slot.tag == tag && keys_[slot.state] == key &&
          (is_packed_ || equal(rows_.row(static_cast<std::size_t>(slot.state)), row)))
        return slot.state;
    }
    return -1;
  }
  std::int32_t find_or_add(const StateKey& key, std::uint64_t hash, const std::uint8_t* row);
  /// Of rows as `rows()` has them.
  [[nodiscard]] bool equal(const std::uint8_t* a, const std::uint8_t* b) const {
    return std::memcmp(a, b, rows_.row_bytes()) == 0;
  }

  static constexpr std::uint32_t kSmallValues = 8;
  static constexpr int kNumShards = 64;
  static constexpr int kShardShift = 58;
  /// Rows that are not in the table yet, in the order in which sequential insertion would meet them; rows may repeat.
  struct NewRows {
    std::span<const StateKey> keys;
    std::span<const std::uint64_t> hashes;
    const std::uint8_t* rows;  ///< one after another, as `rows()` has them, where keys are hashes
    /// [kNumShards] numbers of the rows of each shard, ascending.
    std::array<std::vector<std::int32_t>, kNumShards> of_shard;
  };
  /// Makes room for them.
  void reserve_for(const NewRows& fresh);
  /// Then gives `first[n]`, the first of the rows equal to row n. Different shards may be entered by different threads.
  void enter(int shard, const NewRows& fresh, std::span<std::int32_t> first);
  /// Then gives the first rows the indices `number[n]`, after `extend`; or takes all of them out again.
  void extend(std::int32_t num_states);
  void settle(int shard, const NewRows& fresh, std::span<const std::int32_t> number);
  void forget_entered();

 private:
  struct Slot {
    std::int32_t state;  ///< -1 where empty, -2 - n for row n of those entered
    std::uint32_t tag;
  };
  /// An equal part of the slots, in which probing goes round.
  struct Shard {
    std::size_t num_used = 0;
    std::vector<std::size_t> entered;
  };
  /// Bits [shift, shift + width) of word[0] for the first `num_low_` variables, of word[1] for the others.
  struct Field {
    std::int32_t offset = 0;
    std::uint8_t shift = 0;
    std::uint8_t width = 1;
    std::uint8_t word = 0;
  };

  /// @return false where the value does not fit its field. Both words are written, so that they stay in registers.
  static bool put(const Field& field, std::int32_t value, StateKey& key) {
    const std::uint64_t bits = static_cast<std::uint32_t>(value) - static_cast<std::uint32_t>(field.offset);
    const std::uint64_t mask = ((std::uint64_t{1} << field.width) - 1) << field.shift;
    const std::uint64_t in_second = ~std::uint64_t{field.word} + 1;  // all ones in the second word
    key.word[0] = (key.word[0] & ~(mask & ~in_second)) | (bits << field.shift & ~in_second);
    key.word[1] = (key.word[1] & ~(mask & in_second)) | (bits << field.shift & in_second);
    return bits >> field.width == 0;
  }
  /// A row's hash is the sum of hashes of its values, each in its place, so that it follows from that of a row nearby.
  static StateKey hash_of_value(std::int32_t variable, std::int32_t value) {
    // Two multiply-folds as in `hash_of` for the first word; the second mixes the first fold in its own way.
    __extension__ using Wide = unsigned __int128;
    const std::uint64_t place =
        std::uint64_t{static_cast<std::uint32_t>(variable)} << 32 | static_cast<std::uint32_t>(value);
    const Wide product = static_cast<Wide>((place + 1) * 0x9e3779b97f4a7c15ULL) * 0xd1342543de82ef95ULL;
    const std::uint64_t low = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    const Wide second = static_cast<Wide>(low) * 0xa0761d6478bd642fULL;
    return {{static_cast<std::uint64_t>(second) ^ static_cast<std::uint64_t>(second >> 64),
             (low ^ low >> 29) * 0xbf58476d1ce4e5b9ULL}};
  }
  [[nodiscard]] StateKey known_hash(std::int32_t variable, std::int32_t value) const {
    if (static_cast<std::uint32_t>(value) < kSmallValues)
      return small_hashes_[static_cast<std::size_t>(variable) * kSmallValues + static_cast<std::size_t>(value)];
    return hash_of_value(variable, value);
  }
  void change_hash(std::int32_t variable, std::int32_t from, std::int32_t to, StateKey& key) const {
    const StateKey before = known_hash(variable, from), after = known_hash(variable, to);
    key.word[0] += after.word[0] - before.word[0];
    key.word[1] += after.word[1] - before.word[1];
  }
  static std::int32_t read(const Field& field, const StateKey& key) {
    const std::uint64_t bits = key.word[field.word] >> field.shift & ((std::uint64_t{1} << field.width) - 1);
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(field.offset) + static_cast<std::uint32_t>(bits));
  }
  [[nodiscard]] bool pack(const std::int32_t* row, StateKey& key) const;
  void widen_to_held();
  void pack_again(std::span<const Field> before);
  [[nodiscard]] StateKey hashed_key(const std::int32_t* row) const;
  void lay_out_fields();
  bool place_fields(std::span<const int> widths);
  /// The bits that choose the place are of the tag, the lower ones first: it is all that a larger table needs.
  [[nodiscard]] std::size_t first_place(std::uint64_t hash) const {
    return (hash >> kShardShift) << shard_bits_ | (hash >> 32 & place_mask_);
  }
  /// Takes the first empty slot.
  void settle_slot(std::uint64_t hash, std::int32_t state) {
    std::size_t place = first_place(hash);
    while (slots_[place].state >= 0) place = next_place(place);
    slots_[place] = {state, static_cast<std::uint32_t>(hash >> 32)};
  }
  /// The next place of the same shard.
  [[nodiscard]] std::size_t next_place(std::size_t place) const {
    return (place & ~place_mask_) | ((place + 1) & place_mask_);
  }
  void rebuild();
  void reserve(std::size_t most_used);

  std::size_t num_variables_;
  bool is_packed_ = true;
  std::vector<Field> fields_;
  std::vector<std::int32_t> lowest_, highest_;  ///< values that the fields were laid out for
  /// Hashes of 0, 1, ... of each variable, which most values are; where keys are hashes.
  std::vector<StateKey> small_hashes_;
  IntegerRows rows_;  ///< those kept
  LargePageVector<StateKey> keys_;
  int shard_bits_ = 0;  ///< each shard has 2^shard_bits_ slots
  std::uint64_t place_mask_ = 0;
  LargePageVector<Slot> slots_;
  std::array<Shard, kNumShards> shards_;
};

}  // namespace sojourn
