#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "graph/edge_store.hpp"
#include "graph/state_table.hpp"
#include "sojourn/explore.hpp"

namespace sojourn {

inline constexpr std::int64_t kLargestStateCount = std::numeric_limits<std::int32_t>::max() - 1;
/// Transitions of one state, before merging, that are taken for a callback that never ends.
inline constexpr std::int64_t kLargestRow = 50'000'000;

/// Collects the transitions of a few states one after another, looks their targets up together, and writes the edges.
///
/// Looking up late lets the table's memory arrive meanwhile; the order of look-ups is that of the transitions, so
/// states are numbered as if each were looked up at once.
class RowCollector final : public TransitionBlockSink {
 public:
  /// Targets that are new are added to the table (`kAdd`), or kept aside and numbered -1, -2, ... (`kKeepAside`), where
  /// the table is only read. More than `max_states` states, known and kept aside, are a ModelError.
  enum class NewTargets : std::uint8_t { kAdd, kKeepAside };
  RowCollector(const ExploreOptions& options, StateTable& table, const EdgeRows& edges, NewTargets new_targets);

  /// Expands states [begin, end). @throws ModelError for a malformed transition or too many states.
  void expand(std::int32_t begin, std::int32_t end, const TransitionBlockFunction& transitions);
  /// Sorts each row, merges transitions to one state and appends the edges. `number(-1 - n)` is kept-aside target n.
  template <class Number>
  void write_rows(EdgeRows& rows, Number&& number) {
    for (Transition& transition : transitions_)
      if (transition.to < 0) transition.to = number(-1 - transition.to);
    write_known_rows(rows);
  }
  /// Forgets the rows and what was kept aside.
  void clear();

  void begin_state(std::size_t k) override;
  void emit(std::span<const std::int32_t> to, double base, std::span<const RateTerm> terms) override;
  void emit_change(std::span<const VariableChange> changes, double base, std::span<const RateTerm> terms) override;

  [[nodiscard]] std::int64_t num_transitions() const { return static_cast<std::int64_t>(transitions_.size()); }
  /// Rows kept aside, each once, in the order of their first transition.
  [[nodiscard]] std::span<const StateKey> aside_keys() const { return aside_keys_; }
  [[nodiscard]] std::span<const std::uint64_t> aside_hashes() const { return aside_hashes_; }
  /// As the table holds rows, where keys are hashes.
  [[nodiscard]] std::span<const std::uint8_t> aside_rows() const { return aside_rows_; }

 private:
  struct Transition {
    std::int32_t to, num_terms;
    std::int64_t term_begin;
    double base;
  };
  struct Lookup {
    StateKey key;
    std::uint64_t hash;
    std::int32_t source;         ///< a state
    std::uint32_t change_begin;  ///< in row_changes_, where keys are hashes
  };
  /// A value that a target's row has in place of its source's.
  struct RowChange {
    std::int32_t variable, value;
  };

  void expect_to_add() const;
  [[nodiscard]] std::string describe(std::span<const std::int32_t> state) const;
  bool add_transition(double base, std::span<const RateTerm> terms);
  void expand_block(std::int32_t begin, std::int32_t end, const TransitionBlockFunction& transitions);
  template <class MakeKey, class KeepChanges>
  void add_target(const std::int32_t* to, MakeKey&& make_key, KeepChanges&& keep_changes);
  const std::uint8_t* target_row(std::size_t lookup);
  void look_up();
  std::int32_t keep_aside(const Lookup& lookup, const std::uint8_t* row, std::size_t transition);
  void write_known_rows(EdgeRows& rows);
  void write_merged(std::span<const std::uint64_t> same_target, const Transition* row, EdgeRows& rows);
  void append_terms(std::span<const RateTerm> terms, std::size_t begin, EdgeRows& rows);
  [[noreturn]] void refuse_more_states(std::size_t transition) const;

  const ExploreOptions& options_;
  std::int64_t max_states_;
  StateTable& table_;
  const EdgeRows& edges_;  ///< for the message about too many states
  NewTargets new_targets_;
  std::int32_t begin_ = 0, block_begin_ = 0, from_ = 0;
  std::size_t num_block_states_ = 0, num_begun_ = 0;
  std::vector<std::int32_t> states_;  ///< rows of the block being expanded
  std::span<const std::int32_t> source_;
  std::vector<std::int32_t> changed_;
  StateKey source_key_{};
  std::vector<Transition> transitions_;
  std::vector<RateTerm> terms_, merged_;
  std::vector<std::size_t> row_end_;  ///< in transitions_
  std::vector<Lookup> lookups_;       ///< of the last transitions
  std::vector<RowChange> row_changes_;
  std::vector<std::uint8_t> target_row_;
  std::vector<StateKey> aside_keys_;
  std::vector<std::uint64_t> aside_hashes_;
  std::vector<std::uint8_t> aside_rows_;
  std::vector<std::int32_t> aside_slots_;  ///< hash table of indices, -1 where empty
  std::vector<double> coefficient_;        ///< [num_rates], 0 between merges
  std::vector<std::uint8_t> is_used_;
  std::vector<std::uint64_t> order_;
};

}  // namespace sojourn
