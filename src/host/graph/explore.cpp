#include "sojourn/explore.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "expects.hpp"
#include "graph/state_table.hpp"

namespace sojourn {
namespace {

constexpr std::int64_t kLargestStateCount = std::numeric_limits<std::int32_t>::max() - 1;
/// Transitions of one state, before merging, that are taken for a callback that never ends.
constexpr std::int64_t kLargestRow = 50'000'000;

/// Collects the transitions of one state after another and hands each row to the builder in order of target.
class RowCollector final : public TransitionSink {
 public:
  RowCollector(const ExploreOptions& options, StateTable& table, StateGraphBuilder& builder)
      : options_(options),
        max_states_(std::min(options.max_states, kLargestStateCount)),
        table_(table),
        builder_(builder),
        coefficient_(options.num_rates, 0.0),
        is_used_(options.num_rates, 0) {}

  void start_row(std::int32_t from) { from_ = from; }

  void emit(std::span<const std::int32_t> to, double base, std::span<const RateTerm> terms) override {
    SOJOURN_EXPECTS(to.size() == options_.variable_names.size(), ModelError,
                    "transition from {}: the target has {} values; must be one per variable, {}", describe(from_),
                    to.size(), options_.variable_names.size());
    const std::size_t term_begin = terms_.size();
    for (const RateTerm& term : terms) {
      if (term.coefficient == 0) continue;
      SOJOURN_EXPECTS(term.rate >= 0 && term.rate < options_.num_rates, ModelError,
                      "transition from {}: parameter {} of {} (index {}); indices run from 0 to {}", describe(from_),
                      static_cast<std::int64_t>(term.rate) + 1, options_.num_rates, term.rate, options_.num_rates - 1);
      SOJOURN_EXPECTS(std::isfinite(term.coefficient), ModelError,
                      "transition from {}: coefficient {} of parameter index {} must be finite", describe(from_),
                      term.coefficient, term.rate);
      terms_.push_back(term);
    }
    if (base == 0 && terms_.size() == term_begin) return;
    SOJOURN_EXPECTS(std::isfinite(base), ModelError, "transition from {}: rate {} must be finite", describe(from_),
                    base);
    const std::int32_t state = table_.find_or_add(to);
    if (state >= max_states_) refuse_more_states();
    SOJOURN_EXPECTS(std::ssize(row_) < kLargestRow, ModelError,
                    "transitions from {}: more than {} of them; the callback seems never to end", describe(from_),
                    kLargestRow);
    row_.push_back(
        {state, static_cast<std::int32_t>(terms_.size() - term_begin), static_cast<std::int64_t>(term_begin), base});
  }

  [[nodiscard]] bool is_empty() const { return row_.empty(); }
  /// Sorts the row, merges transitions to one state and passes the edges on.
  void finish_row() {
    std::ranges::sort(row_, {}, &Transition::to);
    for (std::size_t k = 0; k < row_.size();) {
      std::size_t end = k + 1;
      while (end < row_.size() && row_[end].to == row_[k].to) ++end;
      add_merged(std::span(row_).subspan(k, end - k));
      k = end;
    }
    num_edges_ += std::ssize(row_);
    num_terms_ += std::ssize(terms_);
    row_.clear();
    terms_.clear();
  }

 private:
  struct Transition {
    std::int32_t to, num_terms;
    std::int64_t term_begin;
    double base;
  };

  [[nodiscard]] std::span<const RateTerm> terms_of(const Transition& transition) const {
    return {terms_.data() + transition.term_begin, static_cast<std::size_t>(transition.num_terms)};
  }

  void add_merged(std::span<const Transition> same_target) {
    const Transition& first = same_target.front();
    if (same_target.size() == 1) {
      builder_.add_edge(from_, first.to, first.base, terms_of(first));
      return;
    }
    double base = 0;
    merged_.clear();
    for (const Transition& transition : same_target) {
      base += transition.base;
      for (const RateTerm& term : terms_of(transition)) {
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
    builder_.add_edge(from_, first.to, base, merged_);
  }

  [[nodiscard]] std::string describe(std::int32_t state) const {
    std::string text = "state (";
    const auto row = table_.row(state);
    for (std::size_t v = 0; v < row.size(); ++v)
      text += fmt::format("{}{}={}", v == 0 ? "" : ", ", options_.variable_names[v], row[v]);
    return text + ")";
  }

  [[noreturn]] void refuse_more_states() const {
    const double bytes = static_cast<double>(table_.num_bytes()) + 24.0 * static_cast<double>(num_edges_) +
                         16.0 * static_cast<double>(num_terms_);
    throw ModelError(
        fmt::format("state limit {} (--max-states) exceeded after {} states were expanded, {} still waiting; the graph "
                    "takes {:.1f} "
                    "MB so far, about {:.0f} bytes a state; bound the variables or raise the limit",
                    max_states_, from_, table_.num_states() - from_, bytes / 1e6,
                    bytes / static_cast<double>(table_.num_states())));
  }

  const ExploreOptions& options_;
  std::int64_t max_states_;
  StateTable& table_;
  StateGraphBuilder& builder_;
  std::int32_t from_ = 0;
  std::int64_t num_edges_ = 0, num_terms_ = 0;
  std::vector<Transition> row_;
  std::vector<RateTerm> terms_, merged_;
  std::vector<double> coefficient_;  ///< [num_rates], 0 between merges
  std::vector<std::uint8_t> is_used_;
};

void check_options(const ExploreOptions& options) {
  SOJOURN_EXPECTS(!options.variable_names.empty(), ModelError, "the state has no variables; name at least one");
  SOJOURN_EXPECTS(!options.initial.empty(), ModelError, "no start state: give at least one state with its probability");
  SOJOURN_EXPECTS(options.num_rates >= 0, ModelError, "the number of rates {} must be >= 0", options.num_rates);
  SOJOURN_EXPECTS(options.max_states >= 1, UsageError, "--max-states {} must be >= 1", options.max_states);
  SOJOURN_EXPECTS(std::ssize(options.initial) <= options.max_states, ModelError,
                  "{} start states exceed the state limit {} (--max-states)", options.initial.size(),
                  options.max_states);
  for (std::size_t k = 0; k < options.initial.size(); ++k)
    SOJOURN_EXPECTS(options.initial[k].first.size() == options.variable_names.size(), ModelError,
                    "initial: start state {} has {} values; must be one per variable, {}", k,
                    options.initial[k].first.size(), options.variable_names.size());
}

}  // namespace

StateGraph explore(const ExploreOptions& options, const TransitionFunction& transitions) {
  check_options(options);
  const std::size_t num_variables = options.variable_names.size();
  StateTable table(num_variables);
  StateGraphBuilder builder(options.time_kind, options.num_rates);
  for (const auto& [row, probability] : options.initial) builder.add_initial(table.find_or_add(row), probability);

  RowCollector collector(options, table, builder);
  std::vector<std::int32_t> state(num_variables);
  std::vector<std::uint8_t> is_absorbing;
  for (std::int32_t from = 0; from < table.num_states(); ++from) {
    // A copy: the table's rows move while the callback adds states.
    std::ranges::copy(table.row(from), state.begin());
    collector.start_row(from);
    transitions(state, collector);
    is_absorbing.push_back(collector.is_empty());
    collector.finish_row();
  }

  for (const auto& [name, function] : options.rewards) {
    std::vector<double> values(table.num_states(), 0.0);
    for (std::int32_t s = 0; s < table.num_states(); ++s)
      if (!is_absorbing[s]) values[s] = function(table.row(s));
    builder.add_reward(name, std::move(values));
  }
  builder.set_states(options.variable_names, table.take_variables());
  return std::move(builder).build();
}

}  // namespace sojourn
