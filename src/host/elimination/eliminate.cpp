#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <utility>

#include "concurrent.hpp"
#include "elimination/component_factors.hpp"
#include "elimination/components.hpp"
#include "elimination/elimination_state.hpp"
#include "elimination/finish_arrays.hpp"
#include "elimination/front_plan.hpp"
#include "elimination/prc_arrays.hpp"
#include "elimination/predict_cost.hpp"
#include "elimination/row_groups.hpp"
#include "expects.hpp"
#include "sojourn/memory.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

/// A factor and how it was come by.
struct FactorResult {
  SymbolicFactor factor;
  FrontPlan plan;  ///< none where it goes by pairs
  bool from_cache = false;
  std::int32_t thread = 0;
  double seconds = 0;
};

/// From this size on an order of its own, to see how much fill there will be, costs little beside finding it.
constexpr std::int32_t kLargePattern = 5000;

class Elimination {
 public:
  Elimination(const StateGraph& graph, std::int64_t max_bytes)
      : graph_(graph),
        max_bytes_(max_bytes),
        settings_(EliminationState::instance().settings()),
        components_(strongly_connected_components(graph)),
        edges_(count_edges(graph, components_)),
        list_(list_states(components_)),
        pattern_of_(index_patterns(graph, components_, list_, patterns_)),
        source_(folder_if_wanted()) {
    const std::int64_t left = max_bytes_ - predict_bytes(graph_, components_, edges_, {}, 0).elimination_bytes;
    max_stored_bytes_ = std::max<std::int64_t>(0, left);
  }

  /// What the elimination takes, with estimates for components whose fill goes beyond the limit.
  CostPrediction predict() {
    std::vector<FillEstimate> estimate(patterns_.size());
    std::vector<std::int64_t> num_lower(patterns_.size(), 0);
    std::vector<char> is_estimated(patterns_.size(), 0);
    FillCounts fill;
    for (std::int32_t p = 0; p < patterns_.size(); ++p) {
      const ComponentPattern& pattern = patterns_.pattern(p);
      if (pattern.num_states() >= kLargePattern) estimate[p] = estimate_fill(pattern);
      is_estimated[p] = estimate[p].is_symmetric && estimate[p].stored_bytes() > max_stored_bytes_;
      if (!is_estimated[p]) is_estimated[p] = !find_fill(p, estimate[p], num_lower[p]);
      fill.add_pattern(estimate[p]);
    }
    std::int64_t symbolic_bytes = 0;
    for (std::int32_t c = 0; c < components_.num_components; ++c) {
      const std::int32_t p = pattern_of_[c];
      if (p < 0) continue;
      const std::int64_t lower = is_estimated[p] ? estimate[p].num_entries / 2 : num_lower[p];
      fill.add_component(patterns_.pattern(p), estimate[p], lower);
    }
    for (std::int32_t p = 0; p < patterns_.size(); ++p)
      symbolic_bytes += pattern_bytes(patterns_.pattern(p), estimate[p].num_entries);
    CostPrediction prediction = predict_bytes(graph_, components_, edges_, fill, symbolic_bytes);
    prediction.exact = std::count(is_estimated.begin(), is_estimated.end(), 1) == 0;
    return prediction;
  }

  std::shared_ptr<const PrcArrays> run() {
    refuse_large_fill();
    obtain_factors();
    refuse_large_program();
    // An entry of the cache is proved exact only while its multiply-adds are written; one that fails is replaced.
    while (!assemble()) {
    }
    const std::vector<std::int32_t> level = finish_arrays(*arrays_);
    arrays_->cost.replay = replay_bytes(count_replays(), graph_.time_kind());
    report(level);
    return arrays_;
  }

 private:
  static FillEstimate fill_of(const SymbolicFactor& factor, const FrontPlan& plan) {
    return {false, factor.num_entries(), factor.num_pairs, std::ssize(plan.fronts), plan.num_slots};
  }

  /// Finds the fill of a pattern. @return false where it is too large, and `fill` an upper bound.
  bool find_fill(std::int32_t p, FillEstimate& fill, std::int64_t& num_lower) const {
    const ComponentPattern& pattern = patterns_.pattern(p);
    bool from_cache = false;
    try {
      const SymbolicFactor factor = source_.obtain(pattern, patterns_.key(p), max_pairs(fill), from_cache);
      for (std::int32_t i = 0; i < factor.num_states(); ++i) num_lower += factor.middle[i] - factor.begin[i];
      fill = fill_of(factor, plan_fronts(factor));
      fill.num_differences = count_both_ways(pattern, factor.order);
    } catch (const ModelError&) {
      fill = estimate_fill(pattern);
      return false;
    }
    return true;
  }

  /// Most multiply-adds a factor may take: pairs that memory holds, or those of fronts known to fit.
  std::int64_t max_pairs(const FillEstimate& estimate) const {
    const std::int64_t most = max_stored_bytes_ / static_cast<std::int64_t>(sizeof(PrcPair));
    return estimate.by_fronts() ? std::max(most, estimate.num_pairs) : most;
  }

  int num_threads(std::size_t num_units) const {
    return num_component_threads(settings_, num_units, patterns_.num_edges());
  }

  std::shared_ptr<const CacheFolder> folder_if_wanted() {
    for (std::int32_t p = 0; p < patterns_.size(); ++p) {
      if (patterns_.pattern(p).num_states() >= settings_.min_states_to_cache)
        return EliminationState::instance().cache_folder();
    }
    return nullptr;
  }

  /// Largest patterns first, so that no thread is left alone with one at the end.
  std::vector<std::int32_t> by_falling_size() const {
    std::vector<std::int32_t> order(patterns_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t x, std::int32_t y) {
      return patterns_.pattern(x).num_states() > patterns_.pattern(y).num_states();
    });
    return order;
  }

  /// Fill that the order already shows to be too large, before it takes the time to find it.
  void refuse_large_fill() {
    const CostPrediction least = predict_bytes(graph_, components_, edges_, {}, 0);
    if (least.elimination_bytes > max_bytes_) refuse(least.elimination_bytes);
    max_pairs_.assign(patterns_.size(), max_pairs({}));
    for (std::int32_t p = 0; p < patterns_.size(); ++p) {
      const ComponentPattern& pattern = patterns_.pattern(p);
      if (pattern.num_states() < kLargePattern) continue;
      const FillEstimate fill = estimate_fill(pattern);
      if (fill.is_symmetric && fill.stored_bytes() > max_stored_bytes_)
        refuse(least.elimination_bytes + fill.stored_bytes());
      max_pairs_[p] = max_pairs(fill);
    }
  }

  void refuse_large_program() const {
    FillCounts fill;
    for (const FactorResult& result : factors_) fill.add_pattern(fill_of(result.factor, result.plan));
    for (const std::int32_t p : pattern_of_)
      if (p >= 0) fill.add_component(patterns_.pattern(p), fill_of(factors_[p].factor, factors_[p].plan), 0);
    std::int64_t symbolic_bytes = 0;
    for (std::int32_t p = 0; p < patterns_.size(); ++p)
      symbolic_bytes += pattern_bytes(patterns_.pattern(p), factors_[p].factor.num_entries());
    const CostPrediction needed = predict_bytes(graph_, components_, edges_, fill, symbolic_bytes);
    if (needed.elimination_bytes > max_bytes_) refuse(needed.elimination_bytes);
  }

  [[noreturn]] void refuse(std::int64_t bytes) const {
    std::int32_t largest = 1;
    for (std::int32_t c = 0; c < components_.num_components; ++c)
      largest = std::max(largest, list_.begin[c + 1] - list_.begin[c]);
    throw ModelError(fmt::format(
        "elimination: {} states, {} of them in the largest component, need about {} of memory beside the graph for "
        "edges and multiply-adds; allowed are {}. Use a smaller model, or raise the memory limit (--max-memory, "
        "SOJOURN_MAX_MEMORY) where "
        "the machine has more",
        graph_.num_states(), largest, format_bytes(static_cast<double>(bytes)),
        format_bytes(static_cast<double>(max_bytes_))));
  }

  void obtain_factors() {
    factors_.resize(patterns_.size());
    const std::vector<std::int32_t> order = by_falling_size();
    for_each_concurrently(order.size(), num_threads(order.size()), [&](std::size_t k, int thread) {
      const auto start = std::chrono::steady_clock::now();
      FactorResult& result = factors_[order[k]];
      result.factor =
          source_.obtain(patterns_.pattern(order[k]), patterns_.key(order[k]), max_pairs_[order[k]], result.from_cache);
      result.plan = plan_fronts(result.factor);
      // Fronts are written for exact fill alone; pairs prove it while they are written.
      if (!result.plan.empty() && result.from_cache && !is_exact_fill(result.factor, patterns_.pattern(order[k])))
        compute_again(order[k]);
      result.thread = thread;
      result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    });
  }

  /// Replaces a factor of the cache that is not its component's.
  void compute_again(std::int32_t p) {
    factors_[p].factor = source_.replace(patterns_.pattern(p), patterns_.key(p), max_pairs_[p]);
    factors_[p].plan = plan_fronts(factors_[p].factor);
    factors_[p].from_cache = false;
  }

  bool has_fronts(std::int32_t component) const {
    return pattern_of_[component] >= 0 && !factors_[pattern_of_[component]].plan.empty();
  }

  /// The fronts of each pattern that has some; `front_begin` [patterns] gets the first of each.
  void write_fronts(PrcArrays& arrays, std::vector<std::int64_t>& front_begin) const {
    std::int64_t num_fronts = 0, num_slots = 0;
    for (const FactorResult& result : factors_) {
      front_begin.push_back(num_fronts);
      num_fronts += std::ssize(result.plan.fronts);
      num_slots += result.plan.num_slots;
    }
    arrays.fronts.reserve(num_fronts);
    arrays.front_slots.reserve(num_slots);
    for (const FactorResult& result : factors_) {
      if (result.plan.empty()) continue;
      const auto first_slot = std::ssize(arrays.front_slots);
      for (PrcFront front : result.plan.fronts) {
        front.lower_begin += first_slot;
        front.target_begin += first_slot;
        arrays.fronts.push_back(front);
      }
      write_front_slots(result.factor, result.plan, arrays.front_slots);
    }
  }

  const SymbolicFactor* factor_of(std::int32_t component) const {
    return pattern_of_[component] < 0 ? nullptr : &factors_[pattern_of_[component]].factor;
  }

  /// Rows in elimination order, their groups, and room for the factor programs. Returns where the pairs of each pattern
  /// begin.
  std::vector<std::int64_t> lay_out() {
    arrays_ = std::make_shared<PrcArrays>();
    PrcArrays& arrays = *arrays_;
    arrays.num_rates = graph_.num_rates();
    arrays.groups.reserve(edges_.num_groups);
    arrays.terms.reserve(edges_.num_terms);
    arrays.arrivals.reserve(edges_.num_arrival_groups);
    arrays.components.reserve(components_.num_components);
    arrays.state_of_row.resize(list_.state.size());
    arrays.rows.resize(list_.state.size());
    arrays.row_of_state.assign(graph_.num_states(), -1);
    std::vector<std::int64_t> front_begin;
    write_fronts(arrays, front_begin);
    std::int64_t num_entries = 0;
    for (std::int32_t c = 0; c < components_.num_components; ++c) {
      const std::int32_t begin = list_.begin[c], end = list_.begin[c + 1];
      const SymbolicFactor* factor = factor_of(c);
      for (std::int32_t r = begin; r < end; ++r) {
        const std::int32_t state = list_.state[factor == nullptr ? r : begin + factor->order[r - begin]];
        arrays.state_of_row[r] = state;
        arrays.row_of_state[state] = r;
      }
      const std::int64_t entry_begin = num_entries;
      if (factor != nullptr) {
        num_entries += factor->num_entries();
        arrays.cost.factor_multiply_adds += factor->num_pairs;
        arrays.cost.solve_multiply_adds += factor->num_entries();
        for (std::int32_t i = 0; i < end - begin; ++i)
          arrays.cost.factor_multiply_adds += factor->middle[i] - factor->begin[i];
      }
      arrays.components.push_back({begin, end, entry_begin, num_entries});
      if (has_fronts(c)) {
        arrays.num_front_multiply_adds += factor->num_pairs;
        arrays.components.back().front_begin = front_begin[pattern_of_[c]];
        arrays.components.back().front_end =
            front_begin[pattern_of_[c]] + std::ssize(factors_[pattern_of_[c]].plan.fronts);
      }
    }
    arrays.alpha.assign(arrays.rows.size(), 0);
    for (const InitialMass& start : graph_.initial()) {
      const std::int32_t row = arrays.row_of_state[start.state];
      if (row >= 0) arrays.alpha[row] += start.probability;
    }
    write_row_groups(graph_, components_, arrays);
    arrays.entry_column.resize(num_entries);
    std::int64_t num_pairs = 0;
    pairs_of_.assign(factors_.size(), {});
    std::vector<std::int64_t> pair_begin;
    for (const FactorResult& result : factors_) {
      pair_begin.push_back(num_pairs);
      if (!result.plan.empty()) continue;
      pairs_of_[pair_begin.size() - 1].resize(result.factor.num_entries());
      num_pairs += result.factor.num_pairs;
    }
    arrays.pairs.resize(num_pairs);
    std::int64_t num_sums = 0;
    for (std::int32_t c = 0; c < components_.num_components; ++c) {
      PrcComponent& component = arrays.components[c];
      component.direct_begin = component.more_begin = component.sum_begin = num_sums;
      const SymbolicFactor* factor = factor_of(c);
      if (factor == nullptr) continue;
      component.pair_begin = pair_begin[pattern_of_[c]];
      num_sums += factor->num_entries() - std::ssize(patterns_.pattern(pattern_of_[c]).column);
      for (std::int32_t r = list_.begin[c]; r < list_.begin[c + 1]; ++r) num_sums += num_internal_terms(arrays.rows[r]);
    }
    arrays.sums.resize(num_sums);
    return pair_begin;
  }

  std::int64_t num_internal_terms(const PrcRow& row) const {
    std::int64_t count = 0;
    for (std::int64_t g = row.group_middle; g < row.group_end; ++g)
      count += arrays_->groups[g].term_end - arrays_->groups[g].term_begin;
    return count;
  }

  /// Fills the arrays but for what `finish_arrays` adds. @return false where a factor of the cache was replaced.
  bool assemble() {
    // Components of one pattern share its multiply-adds.
    const std::vector<std::int64_t> pair_begin = lay_out();
    std::vector<std::int32_t> with_entries;
    for (std::int32_t c = 0; c < components_.num_components; ++c) {
      const PrcComponent& component = arrays_->components[c];
      if (pattern_of_[c] < 0) {
        PrcRow& row = arrays_->rows[list_.begin[c]];
        row.entry_begin = row.entry_middle = row.entry_end = component.entry_begin;
        row.sum_end = component.sum_begin;
      } else {
        with_entries.push_back(c);
      }
    }
    std::vector<char> exact(patterns_.size(), 1);
    for_each_concurrently(factors_.size(), num_threads(factors_.size()), [&](std::size_t p, int) {
      if (!factors_[p].plan.empty()) return;
      const SymbolicFactor& factor = factors_[p].factor;
      exact[p] = write_pairs(factor, patterns_.pattern(static_cast<std::int32_t>(p)), pairs_of_[p],
                             {arrays_->pairs.data() + pair_begin[p], static_cast<std::size_t>(factor.num_pairs)});
    });
    bool all_exact = true;
    for (std::int32_t p = 0; p < patterns_.size(); ++p) {
      if (exact[p]) continue;
      SOJOURN_ASSERT(factors_[p].from_cache);
      all_exact = false;
      compute_again(p);
    }
    if (!all_exact) return false;
    for_each_concurrently(with_entries.size(), num_threads(with_entries.size()),
                          [&](std::size_t k, int) { write_entries(with_entries[k]); });
    pairs_of_.clear();
    EliminationState::instance().counters.components_shared += std::ssize(with_entries) - std::ssize(factors_);
    return true;
  }

  /// Entries of a component's rows: their columns, and how each comes about.
  void write_entries(std::int32_t c) {
    PrcArrays& arrays = *arrays_;
    const SymbolicFactor& factor = *factor_of(c);
    PrcComponent& component = arrays.components[c];
    for (std::int32_t i = 0; i < factor.num_states(); ++i) {
      PrcRow& row = arrays.rows[component.row_begin + i];
      row.entry_begin = component.entry_begin + factor.begin[i];
      row.entry_middle = component.entry_begin + factor.middle[i];
      row.entry_end = component.entry_begin + factor.begin[i + 1];
    }
    for (std::int64_t e = 0; e < factor.num_entries(); ++e)
      arrays.entry_column[component.entry_begin + e] = component.row_begin + factor.column[e];
    // Counted first, then written.
    std::int64_t num_direct = 0, num_more = 0;
    for_each_sum(c, [&](SumKind kind, PrcRow&, const PrcSum&) {
      if (kind == SumKind::kDirect) ++num_direct;
      if (kind == SumKind::kMore) ++num_more;
    });
    component.more_begin = component.direct_begin + num_direct;
    component.sum_begin = component.more_begin + num_more;
    std::int64_t next[] = {component.direct_begin, component.more_begin, component.sum_begin};
    for_each_sum(c, [&](SumKind kind, PrcRow& row, const PrcSum& sum) {
      arrays.sums[next[static_cast<int>(kind)]++] = sum;
      row.sum_end = next[static_cast<int>(SumKind::kWithPairs)];
    });
  }

  enum class SumKind { kDirect, kMore, kWithPairs };

  /// Calls visit(kind, row, sum) for what a component's entries come about by, along its rows, each of which has some.
  template <class Visit>
  void for_each_sum(std::int32_t c, Visit&& visit) {
    const SymbolicFactor& factor = *factor_of(c);
    const PrcArrays& arrays = *arrays_;
    const std::int32_t row_begin = arrays.components[c].row_begin;
    const std::vector<std::uint32_t>& pairs_of = pairs_of_[pattern_of_[c]];
    std::vector<std::uint32_t> entry_of(factor.num_states());
    std::vector<PrcSum> first;     // by entry of the row
    std::vector<char> has_weight;  // by entry of the row
    for (std::int32_t i = 0; i < factor.num_states(); ++i) {
      PrcRow& row = arrays_->rows[row_begin + i];
      first.clear();
      for (std::int64_t e = factor.begin[i]; e < factor.begin[i + 1]; ++e) {
        entry_of[factor.column[e]] = static_cast<std::uint32_t>(first.size());
        first.push_back({0.0, 0, static_cast<std::uint32_t>(e), pairs_of.empty() ? 0 : pairs_of[e]});
      }
      has_weight.assign(first.size(), 0);
      for (std::int64_t g = row.group_middle; g < row.group_end; ++g) {
        const PrcGroup& group = arrays.groups[g];
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
          const std::uint32_t entry = entry_of[arrays.terms[t].column - row_begin];
          PrcSum& sum = first[entry];
          const PrcSum further{arrays.terms[t].coefficient, group.rate, sum.slot, 0};
          if (std::exchange(has_weight[entry], 1) == 0) {
            sum.coefficient = further.coefficient;
            sum.rate = further.rate;
          } else if (sum.num_pairs == 0 || sum.rate < 0) {
            visit(SumKind::kMore, row, further);
          } else {
            sum.rate = ~sum.rate;
            visit(SumKind::kDirect, row, further);
          }
        }
      }
      for (const PrcSum& sum : first) visit(sum.num_pairs == 0 ? SumKind::kDirect : SumKind::kWithPairs, row, sum);
    }
  }

  [[nodiscard]] ReplayCounts count_replays() const {
    const PrcArrays& arrays = *arrays_;
    ReplayCounts counts{.num_rows = std::ssize(arrays.rows),
                        .num_groups = std::ssize(arrays.groups),
                        .num_terms = std::ssize(arrays.terms),
                        .num_value_slots = arrays.num_value_slots,
                        .largest_rows = arrays.cost.largest_component,
                        .by_fronts = arrays.goes_by_fronts()};
    std::vector<std::int64_t> num_differences;  // by pattern
    for (std::size_t p = 0; p < factors_.size(); ++p)
      num_differences.push_back(
          count_both_ways(patterns_.pattern(static_cast<std::int32_t>(p)), factors_[p].factor.order));
    for (std::int32_t c = 0; c < components_.num_components; ++c) {
      if (pattern_of_[c] < 0) continue;
      const std::int64_t own = num_differences[pattern_of_[c]];
      counts.num_differences += own;
      counts.largest_differences = std::max(counts.largest_differences, own);
      counts.largest_entries = std::max(counts.largest_entries, factor_of(c)->num_entries());
    }
    return counts;
  }

  void report(const std::vector<std::int32_t>& level) const {
    if (!settings_.trace) return;
    std::vector<ComponentTrace> traces(patterns_.size());
    for (std::int32_t c = components_.num_components; c-- > 0;) {
      const std::int32_t p = pattern_of_[c];
      if (p < 0) continue;
      const FactorResult& result = factors_[p];
      traces[p] = {c,
                   traces[p].num_shared + 1,
                   result.factor.num_states(),
                   level[c],
                   result.thread,
                   result.from_cache,
                   result.seconds};
    }
    for (const ComponentTrace& trace : traces) settings_.trace(trace);
  }

  const StateGraph& graph_;
  const std::int64_t max_bytes_;
  std::int64_t max_stored_bytes_;  ///< for the factor program
  const EliminationSettings settings_;
  const Components components_;
  const EdgeCounts edges_;
  const ComponentStates list_;
  PatternIndex patterns_;
  const std::vector<std::int32_t> pattern_of_;
  const FactorSource source_;
  std::vector<std::int64_t> max_pairs_;               ///< by pattern, of its factor
  std::vector<FactorResult> factors_;                 ///< by pattern
  std::vector<std::vector<std::uint32_t>> pairs_of_;  ///< by pattern without fronts, [entries]
  std::shared_ptr<PrcArrays> arrays_;
};

}  // namespace

Prc eliminate(const StateGraph& graph, std::int64_t max_bytes) {
  EliminationState& state = EliminationState::instance();
  const ContentKey key = key_of(graph);
  if (const std::shared_ptr<const PrcArrays> known = state.find(key)) {
    if (max_bytes == 0 || known->cost.bytes <= max_bytes) {
      ++state.counters.graphs_reused;
      return Prc(known);
    }
  }
  ++state.counters.eliminations;
  std::shared_ptr<const PrcArrays> arrays = Elimination(graph, max_bytes > 0 ? max_bytes : memory_left()).run();
  state.remember(key, arrays);
  return Prc(std::move(arrays));
}

CostPrediction predict_cost(const StateGraph& graph, std::int64_t max_bytes) {
  return Elimination(graph, max_bytes > 0 ? max_bytes : memory_left()).predict();
}

}  // namespace sojourn
