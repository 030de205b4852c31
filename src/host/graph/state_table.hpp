#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sojourn {

/// The states found so far, each a row of integers, with a look-up from row to index.
///
/// A row is packed into a 128-bit key while the bits that the values seen need fit: every variable has a field, and a
/// value outside its field lays the fields out anew with room to spare and packs all rows again. Where 128 bits cannot
/// hold the fields the key is a hash and a hit is confirmed against the row itself. Keys are found by linear probing in
/// a table of (index, tag) at most 60 % full. Cost: O(num_variables) a look-up; 16 bytes a state for the key and 13 to
/// 27 for the table, beside the row.
class StateTable {
 public:
  explicit StateTable(std::size_t num_variables);

  /// Index of the row, appended if it is new. `row` must not point into this table.
  std::int32_t find_or_add(std::span<const std::int32_t> row);
  [[nodiscard]] std::int32_t num_states() const { return static_cast<std::int32_t>(keys_.size()); }
  [[nodiscard]] std::span<const std::int32_t> row(std::int32_t state) const {
    return {variables_.data() + static_cast<std::size_t>(state) * num_variables_, num_variables_};
  }
  [[nodiscard]] bool is_packed() const { return is_packed_; }
  [[nodiscard]] std::int64_t num_bytes() const;
  /// Gives the rows away, [num_states, num_variables]; the table is empty afterwards.
  std::vector<std::int32_t> take_variables();

 private:
  struct Key {
    std::uint64_t word[2];
    bool operator==(const Key&) const = default;
  };
  struct Slot {
    std::int32_t state;  ///< -1 where empty
    std::uint32_t tag;
  };
  /// Bits [shift, shift + width) of word[0] for the first `num_low_` variables, of word[1] for the others.
  struct Field {
    std::int32_t offset = 0;
    std::uint8_t shift = 0;
    std::uint8_t width = 1;
  };

  [[nodiscard]] bool pack(const std::int32_t* row, Key& key) const;
  [[nodiscard]] Key hashed_key(std::span<const std::int32_t> row) const;
  Key make_key(std::span<const std::int32_t> row);
  void lay_out_fields();
  bool place_fields(std::span<const int> widths);
  void rebuild(std::size_t num_slots);
  static std::uint64_t mix(const Key& key);

  std::size_t num_variables_;
  std::size_t num_low_ = 0;
  bool is_packed_ = true;
  std::vector<Field> fields_;
  std::vector<std::int32_t> lowest_, highest_;  ///< values seen, per variable
  std::vector<std::int32_t> variables_;
  std::vector<Key> keys_;
  std::vector<Slot> slots_;
};

}  // namespace sojourn
