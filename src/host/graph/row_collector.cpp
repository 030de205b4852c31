#include "graph/row_collector.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "expects.hpp"
#include "sojourn/memory.hpp"

namespace sojourn {
namespace {

/// Transitions whose targets are looked up together at most.
constexpr std::size_t kLargestBatch = 1024;
/// How far the look-ups run ahead with the lines that they will need.
constexpr std::size_t kAhead = 8;

/// Ascending; rows are short and often nearly in order.
void sort_row(std::span<std::uint64_t> order) {
  constexpr std::size_t kShort = 40;
  if (order.size() > kShort) {
    std::sort(order.begin(), order.end());
    return;
  }
  for (std::size_t k = 1; k < order.size(); ++k) {
    const std::uint64_t value = order[k];
    std::size_t place = k;
    for (; place > 0 && order[place - 1] > value; --place) order[place] = order[place - 1];
    order[place] = value;
  }
}

}  // namespace

RowCollector::RowCollector(const ExploreOptions& options, StateTable& table, const EdgeRows& edges,
                           NewTargets new_targets)
    : options_(options),
      max_states_(std::min(options.max_states, kLargestStateCount)),
      table_(table),
      edges_(edges),
      new_targets_(new_targets),
      coefficient_(options.num_rates, 0.0),
      is_used_(options.num_rates, 0) {}

void RowCollector::expand(std::int32_t begin, std::int32_t end, const TransitionBlockFunction& transitions) {
  begin_ = begin;
  for (std::int32_t from = begin; from < end; from += kLargestStateBlock)
    expand_block(from, std::min(from + kLargestStateBlock, end), transitions);
}

void RowCollector::expand_block(std::int32_t begin, std::int32_t end, const TransitionBlockFunction& transitions) {
  const std::size_t width = options_.variable_names.size();
  block_begin_ = begin;
  num_block_states_ = static_cast<std::size_t>(end - begin);
  num_begun_ = 0;
  states_.resize(num_block_states_ * width);
  for (std::int32_t from = begin; from < end; ++from) {
    const std::span row(states_.data() + static_cast<std::size_t>(from - begin) * width, width);
    table_.read_row(from, row);
    if (table_.keep_row(from, row)) continue;
    // Rows of a table that is only read cannot be made wider.
    expect_to_add();
    table_.widen_rows(row);
    (void)table_.keep_row(from, row);
  }
  transitions({states_.data(), num_block_states_, width}, *this);
  SOJOURN_EXPECTS(num_begun_ == num_block_states_, UsageError,
                  "transitions: the callback began {} of the {} states it was given; it must begin each of them",
                  num_begun_, num_block_states_);
  row_end_.push_back(transitions_.size());
  look_up();
}

/// A table that is only read takes no value that needs more room; one thread alone will find the same.
void RowCollector::expect_to_add() const {
  SOJOURN_EXPECTS(new_targets_ == NewTargets::kAdd, ModelError, "a value of {} outgrew its field", describe(source_));
}

void RowCollector::begin_state(std::size_t k) {
  SOJOURN_EXPECTS(k == num_begun_ && k < num_block_states_, UsageError,
                  "transitions: state {} of {} was begun after {} others; each must be begun once, in ascending order",
                  k, num_block_states_, num_begun_);
  if (k > 0) row_end_.push_back(transitions_.size());
  ++num_begun_;
  const std::size_t width = options_.variable_names.size();
  from_ = block_begin_ + static_cast<std::int32_t>(k);
  source_ = {states_.data() + k * width, width};
  changed_.assign(source_.begin(), source_.end());
  source_key_ = table_.key(from_);
}

/// Takes in the weight of a transition. @return false where it is 0 and the transition is left out.
inline bool RowCollector::add_transition(double base, std::span<const RateTerm> terms) {
  const std::size_t term_begin = terms_.size();
  for (const RateTerm& term : terms) {
    if (term.coefficient == 0) continue;
    SOJOURN_EXPECTS(term.rate >= 0 && term.rate < options_.num_rates, ModelError,
                    "transition from {}: parameter {} of {} (index {}); indices run from 0 to {}", describe(source_),
                    static_cast<std::int64_t>(term.rate) + 1, options_.num_rates, term.rate, options_.num_rates - 1);
    SOJOURN_EXPECTS(std::isfinite(term.coefficient), ModelError,
                    "transition from {}: coefficient {} of parameter index {} must be finite", describe(source_),
                    term.coefficient, term.rate);
    terms_.push_back(term);
  }
  if (base == 0 && terms_.size() == term_begin) return false;
  SOJOURN_EXPECTS(std::isfinite(base), ModelError, "transition from {}: rate {} must be finite", describe(source_),
                  base);
  const std::size_t row_begin = row_end_.empty() ? 0 : row_end_.back();
  SOJOURN_EXPECTS(static_cast<std::int64_t>(transitions_.size() - row_begin) < kLargestRow, ModelError,
                  "transitions from {}: more than {} of them; the callback seems never to end", describe(source_),
                  kLargestRow);
  transitions_.push_back(
      {0, static_cast<std::int32_t>(terms_.size() - term_begin), static_cast<std::int64_t>(term_begin), base});
  return true;
}

/// Takes in the target of the last transition. `keep_changes` tells what sets it apart from its source.
template <class MakeKey, class KeepChanges>
inline void RowCollector::add_target(const std::int32_t* to, MakeKey&& make_key, KeepChanges&& keep_changes) {
  StateKey key;
  while (!make_key(key)) {
    // Keys are about to change, so those at hand are used first. A table that is only read cannot change.
    expect_to_add();
    const Transition last = transitions_.back();
    transitions_.pop_back();
    look_up();
    transitions_.push_back(last);
    table_.make_room_for({to, source_.size()});
    source_key_ = table_.key(from_);
  }
  lookups_.push_back({key, StateTable::hash_of(key), from_, static_cast<std::uint32_t>(row_changes_.size())});
  if (!table_.is_packed()) keep_changes();
  if (lookups_.size() >= kLargestBatch) look_up();
}

void RowCollector::emit(std::span<const std::int32_t> to, double base, std::span<const RateTerm> terms) {
  SOJOURN_EXPECTS(to.size() == source_.size(), ModelError,
                  "transition from {}: the target has {} values; must be one per variable, {}", describe(source_),
                  to.size(), source_.size());
  if (!add_transition(base, terms)) return;
  add_target(
      to.data(), [&](StateKey& key) { return table_.make_key(to.data(), source_.data(), source_key_, key); },
      [&] {
        for (std::size_t v = 0; v < to.size(); ++v)
          if (to[v] != source_[v]) row_changes_.push_back({static_cast<std::int32_t>(v), to[v]});
      });
}

void RowCollector::emit_change(std::span<const VariableChange> changes, double base, std::span<const RateTerm> terms) {
  for (const VariableChange& change : changes) {
    SOJOURN_EXPECTS(change.variable >= 0 && std::cmp_less(change.variable, source_.size()), ModelError,
                    "transition from {}: a change of variable {}; they are numbered from 0 to {}", describe(source_),
                    change.variable, source_.size() - 1);
    const std::int64_t value = std::int64_t{changed_[change.variable]} + change.delta;
    SOJOURN_EXPECTS(std::in_range<std::int32_t>(value), ModelError, "transition from {}: {} = {} is out of range",
                    describe(source_), options_.variable_names[change.variable], value);
    changed_[change.variable] = static_cast<std::int32_t>(value);
  }
  if (add_transition(base, terms))
    add_target(
        changed_.data(),
        [&](StateKey& key) { return table_.make_key(changes, changed_.data(), source_.data(), source_key_, key); },
        [&] {
          for (const VariableChange& change : changes)
            row_changes_.push_back({change.variable, changed_[change.variable]});
        });
  for (const VariableChange& change : changes) changed_[change.variable] = source_[change.variable];
}

/// None where keys say all.
inline const std::uint8_t* RowCollector::target_row(std::size_t lookup) {
  if (table_.is_packed()) return nullptr;
  const IntegerRows& rows = table_.rows();
  target_row_.resize(rows.row_bytes());
  std::memcpy(target_row_.data(), rows.row(static_cast<std::size_t>(lookups_[lookup].source)), rows.row_bytes());
  const std::size_t end = lookup + 1 < lookups_.size() ? lookups_[lookup + 1].change_begin : row_changes_.size();
  for (std::size_t c = lookups_[lookup].change_begin; c < end; ++c)
    rows.put(target_row_.data(), static_cast<std::size_t>(row_changes_[c].variable), row_changes_[c].value);
  return target_row_.data();
}

/// Gives the last transitions the indices of their targets.
void RowCollector::look_up() {
  const std::size_t count = lookups_.size();
  Transition* const transition = transitions_.data() + transitions_.size() - count;
  for (std::size_t k = 0; k < std::min(count, 2 * kAhead); ++k) table_.prefetch(lookups_[k].hash);
  for (std::size_t k = 0; k < count; ++k) {
    if (k + 2 * kAhead < count) table_.prefetch(lookups_[k + 2 * kAhead].hash);
    if (k + kAhead < count) table_.prefetch_key(lookups_[k + kAhead].hash);
    const Lookup& lookup = lookups_[k];
    const std::uint8_t* const row = target_row(k);
    if (new_targets_ == NewTargets::kAdd) {
      transition[k].to = table_.find_or_add(lookup.key, lookup.hash, row);
      if (transition[k].to >= max_states_) refuse_more_states(transitions_.size() - count + k);
    } else {
      const std::int32_t known = table_.find(lookup.key, lookup.hash, row);
      transition[k].to = known >= 0 ? known : keep_aside(lookup, row, transitions_.size() - count + k);
    }
  }
  lookups_.clear();
  row_changes_.clear();
}

std::int32_t RowCollector::keep_aside(const Lookup& lookup, const std::uint8_t* row, std::size_t transition) {
  const std::size_t count = aside_keys_.size(), width = table_.rows().row_bytes();
  if (2 * (count + 1) > aside_slots_.size()) {
    aside_slots_.assign(std::max<std::size_t>(256, 4 * aside_slots_.size()), -1);
    const std::size_t mask = aside_slots_.size() - 1;
    for (std::size_t n = 0; n < count; ++n) {
      std::size_t place = aside_hashes_[n] & mask;
      while (aside_slots_[place] >= 0) place = (place + 1) & mask;
      aside_slots_[place] = static_cast<std::int32_t>(n);
    }
  }
  const std::size_t mask = aside_slots_.size() - 1;
  std::size_t place = lookup.hash & mask;
  for (; aside_slots_[place] >= 0; place = (place + 1) & mask) {
    const auto n = static_cast<std::size_t>(aside_slots_[place]);
    if (aside_keys_[n] == lookup.key && (table_.is_packed() || table_.equal(aside_rows_.data() + n * width, row)))
      return -1 - static_cast<std::int32_t>(n);
  }
  if (table_.num_states() + static_cast<std::int64_t>(count) + 1 > max_states_) refuse_more_states(transition);
  aside_slots_[place] = static_cast<std::int32_t>(count);
  aside_keys_.push_back(lookup.key);
  aside_hashes_.push_back(lookup.hash);
  if (!table_.is_packed()) aside_rows_.insert(aside_rows_.end(), row, row + width);
  return -1 - static_cast<std::int32_t>(count);
}

void RowCollector::write_known_rows(EdgeRows& rows) {
  constexpr std::uint64_t kIndexMask = 0xffffffffULL;
  std::size_t begin = 0;
  for (const std::size_t end : row_end_) {
    const Transition* const row = transitions_.data() + begin;
    order_.clear();
    for (std::size_t k = 0; k < end - begin; ++k) order_.push_back(static_cast<std::uint64_t>(row[k].to) << 32 | k);
    sort_row(order_);
    for (std::size_t k = 0; k < order_.size();) {
      const Transition& transition = row[order_[k] & kIndexMask];
      std::size_t next = k + 1;
      while (next < order_.size() && order_[next] >> 32 == order_[k] >> 32) ++next;
      rows.to.push_back(transition.to);
      if (next > k + 1) {
        write_merged(std::span(order_).subspan(k, next - k), row, rows);
      } else {
        rows.base.push_back(transition.base);
        // The terms of one transition have no zeros among them.
        if (transition.num_terms == 1) {
          rows.terms.push_back(terms_[transition.term_begin]);
          rows.term_begin.push_back(static_cast<std::int64_t>(rows.terms.size()));
        } else {
          append_terms({terms_.data() + transition.term_begin, static_cast<std::size_t>(transition.num_terms)},
                       rows.terms.size(), rows);
        }
      }
      k = next;
    }
    rows.row_begin.push_back(rows.num_edges());
    begin = end;
  }
}

/// Terms of one edge in ascending order of rate, those of one rate summed up.
void RowCollector::append_terms(std::span<const RateTerm> terms, std::size_t begin, EdgeRows& rows) {
  for (const RateTerm& term : terms) {
    if (term.coefficient == 0) continue;
    if (rows.terms.size() == begin || rows.terms.back().rate < term.rate) {
      rows.terms.push_back(term);
      continue;
    }
    insert_term(rows.terms, begin, term);
  }
  rows.term_begin.push_back(static_cast<std::int64_t>(rows.terms.size()));
}

void RowCollector::write_merged(std::span<const std::uint64_t> same_target, const Transition* row, EdgeRows& rows) {
  double base = 0;
  merged_.clear();
  for (const std::uint64_t entry : same_target) {
    const Transition& transition = row[entry & 0xffffffffULL];
    base += transition.base;
    for (std::int32_t k = 0; k < transition.num_terms; ++k) {
      const RateTerm& term = terms_[transition.term_begin + k];
      coefficient_[term.rate] += term.coefficient;
      if (is_used_[term.rate]) continue;
      is_used_[term.rate] = 1;
      merged_.push_back({term.rate, 0});
    }
  }
  for (RateTerm& term : merged_) {
    term.coefficient = coefficient_[term.rate];
    coefficient_[term.rate] = 0;
    is_used_[term.rate] = 0;
  }
  rows.base.push_back(base);
  append_terms(merged_, rows.terms.size(), rows);
}

void RowCollector::clear() {
  transitions_.clear();
  terms_.clear();
  row_end_.clear();
  lookups_.clear();
  row_changes_.clear();
  aside_keys_.clear();
  aside_hashes_.clear();
  aside_rows_.clear();
  std::ranges::fill(aside_slots_, -1);
}

std::string RowCollector::describe(std::span<const std::int32_t> state) const {
  std::string text = "state (";
  for (std::size_t v = 0; v < state.size(); ++v)
    text += fmt::format("{}{}={}", v == 0 ? "" : ", ", options_.variable_names[v], state[v]);
  return text + ")";
}

/// The message does not tell how the states were shared out, so it counts what one thread, state by state, would have.
void RowCollector::refuse_more_states(std::size_t transition) const {
  const auto row = std::ranges::upper_bound(row_end_, transition) - row_end_.begin();
  const std::int64_t num_expanded = begin_ + row;
  std::int64_t num_edges = edges_.num_edges();
  for (std::ptrdiff_t r = 0; r < row; ++r) {
    std::vector<std::int32_t> targets;
    for (std::size_t k = r == 0 ? 0 : row_end_[r - 1]; k < row_end_[r]; ++k) targets.push_back(transitions_[k].to);
    std::ranges::sort(targets);
    num_edges += std::ranges::unique(targets).begin() - targets.begin();
  }
  constexpr double kStateBytes = 60, kEdgeBytes = 20;  // with its key and place in the table; of one term alone
  const std::int64_t num_states = std::max<std::int64_t>(table_.num_states(), max_states_ + 1);
  const double per_state = kStateBytes + static_cast<double>(table_.rows().row_bytes());
  const double bytes = per_state * static_cast<double>(num_states) + kEdgeBytes * static_cast<double>(num_edges);
  throw ModelError(
      fmt::format("state limit {} (--max-states) exceeded after {} states were expanded, {} still waiting; the graph "
                  "takes about {} so far, {:.0f} bytes a state; bound the variables or raise the limit",
                  max_states_, num_expanded, num_states - num_expanded, format_bytes(bytes),
                  bytes / static_cast<double>(num_states)));
}

}  // namespace sojourn
