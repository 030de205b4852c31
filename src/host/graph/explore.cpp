#include "sojourn/explore.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "concurrent.hpp"
#include "expects.hpp"
#include "graph/edge_store.hpp"
#include "graph/row_collector.hpp"
#include "graph/state_table.hpp"
#include "sojourn/memory.hpp"

namespace sojourn {
namespace {

/// Memory is looked at whenever so many more states are expanded.
constexpr std::int32_t kMemoryCheck = 1 << 16;
/// Starting a team for fewer waiting states takes longer than the work.
constexpr std::int32_t kSmallestWave = 1024;
constexpr std::int32_t kLargestWave = 1 << 17;
/// Transitions that a wave should hold at most, some 40 bytes each.
constexpr std::int64_t kWaveTransitions = 4'000'000;

void check_options(const ExploreOptions& options) {
  SOJOURN_EXPECTS(!options.variable_names.empty(), ModelError, "the state has no variables; name at least one");
  SOJOURN_EXPECTS(!options.initial.empty(), ModelError, "no start state: give at least one state with its probability");
  SOJOURN_EXPECTS(options.num_rates >= 0, ModelError, "the number of rates {} must be >= 0", options.num_rates);
  SOJOURN_EXPECTS(options.num_threads >= 0, UsageError, "exploration: the number of threads {} must be >= 0",
                  options.num_threads);
  SOJOURN_EXPECTS(options.max_states >= 1, UsageError, "--max-states {} must be >= 1", options.max_states);
  SOJOURN_EXPECTS(std::ssize(options.initial) <= options.max_states, ModelError,
                  "{} start states exceed the state limit {} (--max-states)", options.initial.size(),
                  options.max_states);
  for (std::size_t k = 0; k < options.initial.size(); ++k)
    SOJOURN_EXPECTS(options.initial[k].first.size() == options.variable_names.size(), ModelError,
                    "initial: start state {} has {} values; must be one per variable, {}", k,
                    options.initial[k].first.size(), options.variable_names.size());
}

/// One exploration. States are numbered in the order in which one thread would discover them, whatever the threads:
/// one alone adds states as it meets them; several expand a wave of known states against a table that is only read,
/// keep new targets aside, and number these by the order of their first transitions.
class Exploration {
 public:
  Exploration(const ExploreOptions& options, const TransitionBlockFunction& transitions)
      : options_(options),
        num_threads_(options.concurrent ? thread_count(options) : 1),
        table_(options.variable_names.size()),
        direct_(options, table_, edges_, RowCollector::NewTargets::kAdd),
        transitions_(transitions) {}

  StateGraph run() {
    StateGraphBuilder builder(options_.time_kind, options_.num_rates);
    for (const auto& [row, probability] : options_.initial) builder.add_initial(table_.find_or_add(row), probability);
    for (std::int32_t from = 0; from < table_.num_states();) {
      const std::int32_t end = from + next_wave(from);
      table_.make_room_for_rows(end);
      if (end - from < kSmallestWave || !expand_wave(from, end)) expand_directly(from, end);
      if (from / kMemoryCheck != end / kMemoryCheck) check_memory(end);
      from = end;
    }
    check_memory(table_.num_states());
    collectors_.clear();
    add_rewards(builder);
    move_rows(std::move(edges_), builder);
    builder.set_states(options_.variable_names, table_.take_rows(), StateGraphBuilder::StateRows::kExplored);
    return std::move(builder).build();
  }

 private:
  static int thread_count(const ExploreOptions& options) {
    return options.num_threads > 0 ? options.num_threads : num_available_threads();
  }

  /// @throws ModelError where the graph of the states found so far would not fit.
  void check_memory(std::int32_t num_expanded) const {
    const auto num_states = static_cast<double>(table_.num_states());
    const double per_state =
        static_cast<double>(table_.rows().row_bytes()) + 8.0 * static_cast<double>(options_.rewards.size() + 1);
    const double bytes = static_cast<double>(table_.num_bytes() + edges_.num_bytes()) + num_states * per_state;
    SOJOURN_EXPECTS(bytes <= static_cast<double>(bytes_left_), ModelError,
                    "the states do not fit in memory: after {} states were expanded, {} still waiting, the graph takes "
                    "{} and {} are left for it; bound the variables, or raise the memory limit "
                    "(--max-memory, SOJOURN_MAX_MEMORY) where the machine has more",
                    num_expanded, table_.num_states() - num_expanded, format_bytes(bytes),
                    format_bytes(static_cast<double>(bytes_left_)));
  }

  /// How many of the waiting states to expand next.
  [[nodiscard]] std::int32_t next_wave(std::int32_t from) const {
    const std::int32_t waiting = table_.num_states() - from;
    const double degree = static_cast<double>(edges_.num_edges() + 1) / (from + 1.0);
    const double fitting = std::max(1.0, static_cast<double>(kWaveTransitions) / degree);
    if (num_threads_ == 1 || waiting < kSmallestWave || fitting < kSmallestWave)
      return std::min(waiting, static_cast<std::int32_t>(std::min<double>(fitting, kLargestStateBlock)));
    const double most = std::min<double>({fitting, 8192.0 * num_threads_, kLargestWave});
    return std::min(waiting, static_cast<std::int32_t>(most));
  }

  void expand_directly(std::int32_t begin, std::int32_t end) {
    for (std::int32_t from = begin; from < end; from += kLargestStateBlock) {
      direct_.clear();
      direct_.expand(from, std::min(from + kLargestStateBlock, end), transitions_);
      direct_.write_rows(edges_, [](std::int32_t) { return -1; });
    }
  }

  /// Several threads at once. @return false where something went wrong, such as a value that outgrew its field, too
  /// many states, or an exception of the callback: the table is as it was, and one thread alone will find the same.
  bool expand_wave(std::int32_t begin, std::int32_t end) {
    const std::size_t num_blocks = std::min<std::size_t>(8 * num_threads_, (end - begin) / 256);
    while (collectors_.size() < num_blocks)
      collectors_.push_back(
          std::make_unique<RowCollector>(options_, table_, edges_, RowCollector::NewTargets::kKeepAside));
    rows_.resize(collectors_.size());
    // A copy has its own state; the caller's is left alone where there is one thread.
    if (functions_.empty()) functions_.assign(num_threads_, transitions_);
    const auto first_of = [&](std::size_t block) {
      return begin +
             static_cast<std::int32_t>(static_cast<std::int64_t>(end - begin) * static_cast<std::int64_t>(block) /
                                       static_cast<std::int64_t>(num_blocks));
    };
    try {
      for_each_concurrently(num_blocks, num_threads_, [&](std::size_t block, int thread) {
        collectors_[block]->clear();
        collectors_[block]->expand(first_of(block), first_of(block + 1), functions_[thread]);
      });
    } catch (...) {
      // The exception may have left a callback's scratch half written.
      functions_.clear();
      return false;
    }
    if (!number_new_states(num_blocks)) return false;
    for_each_concurrently(num_blocks, num_threads_, [&](std::size_t block, int) {
      const std::int32_t* number = number_.data() + aside_begin_[block];
      rows_[block].clear();
      collectors_[block]->write_rows(rows_[block], [number](std::int32_t n) { return number[n]; });
    });
    append_rows(edges_, rows_, num_blocks, num_threads_);
    return true;
  }

  /// Adds what the blocks kept aside to the table, in order of first transition. @return false beyond the state limit.
  bool number_new_states(std::size_t num_blocks) {
    gather_aside(num_blocks);
    const std::size_t count = keys_.size();
    const StateTable::NewRows& fresh = fresh_;
    table_.reserve_for(fresh);
    first_.resize(count);
    number_.resize(count);
    for_each_concurrently(StateTable::kNumShards, num_threads_,
                          [&](std::size_t shard, int) { table_.enter(static_cast<int>(shard), fresh, first_); });
    std::int64_t num_states = table_.num_states();
    for (std::size_t n = 0; n < count; ++n)
      number_[n] = std::cmp_equal(first_[n], n) ? static_cast<std::int32_t>(num_states++) : number_[first_[n]];
    if (num_states > std::min(options_.max_states, kLargestStateCount)) {
      table_.forget_entered();
      return false;
    }
    table_.extend(static_cast<std::int32_t>(num_states));
    for_each_concurrently(StateTable::kNumShards, num_threads_,
                          [&](std::size_t shard, int) { table_.settle(static_cast<int>(shard), fresh, number_); });
    return true;
  }

  /// Lays what the blocks kept aside end to end and deals it out to the shards.
  void gather_aside(std::size_t num_blocks) {
    aside_begin_.assign(1, 0);
    keys_.clear();
    hashes_.clear();
    aside_rows_.clear();
    for (std::size_t block = 0; block < num_blocks; ++block) {
      const RowCollector& collector = *collectors_[block];
      keys_.insert(keys_.end(), collector.aside_keys().begin(), collector.aside_keys().end());
      hashes_.insert(hashes_.end(), collector.aside_hashes().begin(), collector.aside_hashes().end());
      aside_rows_.insert(aside_rows_.end(), collector.aside_rows().begin(), collector.aside_rows().end());
      aside_begin_.push_back(keys_.size());
    }
    for (auto& rows : fresh_.of_shard) rows.clear();
    for (std::size_t n = 0; n < keys_.size(); ++n)
      fresh_.of_shard[hashes_[n] >> StateTable::kShardShift].push_back(static_cast<std::int32_t>(n));
    fresh_.keys = keys_;
    fresh_.hashes = hashes_;
    fresh_.rows = aside_rows_.data();
  }

  void add_rewards(StateGraphBuilder& builder) {
    const std::size_t num_states = table_.num_states(), num_rewards = options_.rewards.size();
    std::vector<std::vector<double>> values(num_rewards, std::vector<double>(num_states, 0.0));
    const IntegerRows& rows = table_.rows();
    const auto evaluate = [&](auto& rewards, std::size_t begin, std::size_t end) {
      std::vector<std::int32_t> row(rows.width());
      for (std::size_t s = begin; s < end && num_rewards > 0; ++s) {
        if (edges_.row_begin[s] == edges_.row_begin[s + 1]) continue;
        rows.decode(rows.row(s), row);
        for (std::size_t r = 0; r < num_rewards; ++r) values[r][s] = rewards[r].second(row);
      }
    };
    if (num_threads_ == 1 || num_states < static_cast<std::size_t>(kSmallestWave)) {
      evaluate(options_.rewards, 0, num_states);
    } else {
      std::vector rewards(num_threads_, options_.rewards);
      const std::size_t num_blocks = (num_states + kSmallestWave - 1) / kSmallestWave;
      for_each_concurrently(num_blocks, num_threads_, [&](std::size_t block, int thread) {
        evaluate(rewards[thread], block * kSmallestWave, std::min(num_states, (block + 1) * kSmallestWave));
      });
    }
    for (std::size_t r = 0; r < num_rewards; ++r) builder.add_reward(options_.rewards[r].first, std::move(values[r]));
  }

  const ExploreOptions& options_;
  const int num_threads_;
  const std::int64_t bytes_left_ = memory_left();
  StateTable table_;
  EdgeRows edges_;
  RowCollector direct_;
  std::vector<TransitionBlockFunction> functions_;  ///< one for each thread
  const TransitionBlockFunction& transitions_;
  std::vector<std::unique_ptr<RowCollector>> collectors_;  ///< one for each block of a wave
  std::vector<EdgeRows> rows_;
  StateTable::NewRows fresh_;
  std::vector<StateKey> keys_;
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint8_t> aside_rows_;
  std::vector<std::int32_t> first_, number_;
  std::vector<std::size_t> aside_begin_;
};

}  // namespace

StateGraph explore_blocks(const ExploreOptions& options, const TransitionBlockFunction& transitions) {
  check_options(options);
  return Exploration(options, transitions).run();
}

StateGraph explore(const ExploreOptions& options, const TransitionFunction& transitions) {
  // A copy of the function, so that copies of this one have functions of their own.
  return explore_blocks(options, [transitions](MatrixView<const std::int32_t> states, TransitionBlockSink& sink) {
    for (std::size_t k = 0; k < states.num_rows(); ++k) {
      sink.begin_state(k);
      transitions(states.row(k), sink);
    }
  });
}

}  // namespace sojourn
