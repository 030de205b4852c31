#include "elimination/predict_cost.hpp"

#include <amd.h>

#include <algorithm>
#include <bit>

#include "elimination/prc_arrays.hpp"

namespace sojourn {
namespace {

/// Rates that fit the set of a target's rates.
constexpr std::int32_t kLargestRateSet = 63;

/// Replaces what the ordering says of a symmetric pattern by the truth. The neighbours that row i still finds when it
/// is eliminated lie on the ways up the elimination tree from its first neighbours, so each entry is met once (Liu
/// 1990).
void count_symmetric_fill(const ComponentPattern& pattern, const std::vector<std::int32_t>& order,
                          FillEstimate& estimate) {
  const std::int32_t size = pattern.num_states();
  std::vector<std::int32_t> position(size), parent(size, -1), met(size, -1);
  std::vector<std::int64_t> left(size, 0);  // neighbours of each row that are eliminated after it
  for (std::int32_t i = 0; i < size; ++i) position[order[i]] = i;
  for (std::int32_t i = 0; i < size; ++i) {
    met[i] = i;
    const std::int32_t state = order[i];
    for (std::int32_t e = pattern.row_begin[state]; e < pattern.row_begin[state + 1]; ++e) {
      for (std::int32_t k = position[pattern.column[e]]; k < i && met[k] != i; k = parent[k]) {
        if (parent[k] < 0) parent[k] = i;
        met[k] = i;
        ++left[k];
      }
    }
  }
  estimate.num_entries = estimate.num_pairs = 0;
  for (const std::int64_t count : left) {
    estimate.num_entries += 2 * count;
    estimate.num_pairs += count * (count - 1);
  }
  std::int64_t num_fronts = 0, num_lower = 0, num_targets = 0;
  for (std::int32_t first = 0; first < size; ++num_fronts) {
    std::int32_t end = first + 1;
    while (end < size && end - first < kMostFrontRows && parent[end - 1] == end && left[end] + 1 == left[end - 1])
      ++end;
    num_lower += left[end - 1];
    num_targets += left[end - 1] * left[end - 1];
    first = end;
  }
  if (!fronts_pay(estimate.num_pairs, estimate.num_entries, num_targets)) return;
  estimate.num_fronts = num_fronts;
  estimate.num_front_slots = num_lower + num_targets;
}

}  // namespace

EdgeCounts count_edges(const StateGraph& graph, const Components& components) {
  EdgeCounts counts;
  const bool has_rate_sets = graph.num_rates() < kLargestRateSet;
  std::vector<std::uint64_t> rates_into(has_rate_sets ? graph.num_states() : 0);
  std::vector<std::int64_t> last_external(graph.num_rates() + 2, -1), last_internal(last_external);
  const std::int32_t form_rate = graph.num_rates() + 1;
  std::vector<std::int32_t> last_reader(components.component_of), size(components.num_components);
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    const std::int32_t component = components.component_of[s];
    if (component < 0) continue;
    ++counts.num_rows;
    ++size[component];
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      const std::int32_t to = graph.edge_to(e);
      const bool moves = components.component_of[to] >= 0;
      const bool internal = components.component_of[to] == component;
      if (moves) last_reader[to] = std::max(last_reader[to], component);
      std::vector<std::int64_t>& last = internal ? last_internal : last_external;
      const auto add = [&](std::int32_t rate) {
        if (last[rate] != s) ++counts.num_groups;
        last[rate] = s;
        if (!moves) return;
        ++counts.num_terms;
        if (internal) {
          ++counts.num_internal_terms;
        } else if (has_rate_sets) {
          rates_into[to] |= std::uint64_t{1} << rate;
        } else {
          ++counts.num_arrival_groups;
        }
      };
      bool mixed = graph.base(e) < 0;
      for (const RateTerm& term : graph.terms(e)) mixed = mixed || term.coefficient < 0;
      if (mixed) {
        add(form_rate);
        continue;
      }
      if (graph.base(e) != 0) add(0);
      for (const RateTerm& term : graph.terms(e)) add(1 + term.rate);
    }
  }
  for (const std::uint64_t rates : rates_into) counts.num_arrival_groups += std::popcount(rates);
  // A solution takes a slot when its component is solved and gives it back after the last component that reads it.
  std::vector<std::int32_t> num_dying(components.num_components);
  for (const std::int32_t reader : last_reader)
    if (reader >= 0) ++num_dying[reader];
  std::int64_t alive = 0;
  for (std::int32_t c = 0; c < components.num_components; ++c) {
    alive += size[c];
    counts.num_value_slots = std::max(counts.num_value_slots, alive);
    alive -= num_dying[c];
  }
  return counts;
}

void FillCounts::add_pattern(const FillEstimate& fill) {
  stored_bytes += fill.stored_bytes();
  num_fronts += fill.num_fronts;
}

void FillCounts::add_component(const ComponentPattern& pattern, const FillEstimate& fill, std::int64_t num_lower) {
  num_entries += fill.num_entries;
  num_lower_entries += num_lower;
  num_pairs += fill.num_pairs;
  if (fill.by_fronts()) num_front_pairs += fill.num_pairs;
  num_differences += fill.num_differences;
  largest_differences = std::max(largest_differences, fill.num_differences);
  num_direct_entries += std::ssize(pattern.column);
  largest_entries = std::max(largest_entries, fill.num_entries);
  largest_rows = std::max<std::int64_t>(largest_rows, pattern.num_states());
}

std::int64_t FillEstimate::stored_bytes() const {
  constexpr auto size_of = [](auto value) { return static_cast<std::int64_t>(sizeof value); };
  if (by_fronts()) return size_of(PrcFront{}) * num_fronts + size_of(std::uint32_t{}) * num_front_slots;
  return size_of(PrcPair{}) * num_pairs;
}

FillEstimate estimate_fill(const ComponentPattern& pattern) {
  FillEstimate estimate;
  const std::int32_t n = pattern.num_states();
  std::vector<std::int32_t> order(n);
  double info[AMD_INFO];
  if (amd_order(n, pattern.row_begin.data(), pattern.column.data(), order.data(), nullptr, info) == AMD_OUT_OF_MEMORY)
    throw std::bad_alloc();
  // A pivot with r neighbours left takes r^2 - r multiply-adds: its neighbours' entries with each other.
  estimate.is_symmetric = info[AMD_SYMMETRY] == 1;
  estimate.num_entries = static_cast<std::int64_t>(2 * info[AMD_LNZ]);
  estimate.num_pairs = static_cast<std::int64_t>(info[AMD_NMULTSUBS_LU] - info[AMD_LNZ]);
  if (estimate.is_symmetric) count_symmetric_fill(pattern, order, estimate);
  estimate.num_differences = estimate.num_entries / 2;  // the ordering takes every link to go both ways
  return estimate;
}

ReplayBytes replay_bytes(const ReplayCounts& counts, TimeKind time_kind) {
  const bool discrete = time_kind == TimeKind::kDiscrete;
  const std::int64_t factors = counts.largest_entries + 2 * std::max<std::int64_t>(1, counts.largest_rows);
  ReplayBytes bytes;
  // Solution, the same less the reference, and in discrete time what it is solved for; slopes, and differences of one
  // component at a time.
  const std::int64_t solution = (discrete ? 3 : 2) * counts.num_rows + counts.num_groups + counts.largest_differences;
  bytes.value = 8 * (factors + (discrete ? solution : counts.num_value_slots));
  if (!discrete) bytes.products = 8 * (factors + 2 * counts.num_rows);
  // With the sizes of slopes, of differences and of what these were made from; visits, in discrete time with those of
  // right-hand sides and their absolute values.
  bytes.differences = 8 * (factors + solution + counts.num_groups + counts.largest_differences + counts.largest_rows +
                           (discrete ? 3 : 1) * counts.num_rows);
  bytes.difference_program = 8 * (counts.num_rows + counts.num_differences) + 4 * counts.num_terms;
  bytes.few_lanes = counts.by_fronts;
  return bytes;
}

std::int64_t pattern_bytes(const ComponentPattern& pattern, std::int64_t num_entries) {
  const std::int64_t n = pattern.num_states();
  return 4 * (n + static_cast<std::int64_t>(pattern.column.size())) + (4 + 8 + 8) * n + (4 + 4) * num_entries;
}

CostPrediction predict_bytes(const StateGraph& graph, const Components& components, const EdgeCounts& edges,
                             const FillCounts& fill, std::int64_t symbolic_bytes) {
  constexpr auto size_of = [](auto value) { return static_cast<std::int64_t>(sizeof value); };
  const std::int64_t num_states = graph.num_states(), num_rows = edges.num_rows, num_entries = fill.num_entries;
  CostPrediction prediction;
  prediction.num_transient = num_rows;
  prediction.num_components = components.num_components;
  prediction.largest_component = std::max<std::int64_t>(std::min<std::int64_t>(1, num_rows), fill.largest_rows);
  prediction.graph_bytes = graph.num_bytes();
  prediction.factor_multiply_adds = fill.num_pairs + fill.num_lower_entries;
  prediction.solve_multiply_adds = edges.num_external_terms() + num_entries;
  // An entry has a sum, and each direct weight after its first one more.
  const std::int64_t num_sums = num_entries + edges.num_internal_terms - fill.num_direct_entries;
  const std::int64_t arrivals =
      size_of(PrcGroup{}) * edges.num_arrival_groups + size_of(PrcTerm{}) * edges.num_external_terms();
  prediction.program_bytes = size_of(PrcComponent{}) * components.num_components +
                             (size_of(PrcRow{}) + 4 + 4 + 8) * num_rows + 4 * num_states +
                             size_of(PrcGroup{}) * edges.num_groups + size_of(PrcTerm{}) * edges.num_terms + arrivals +
                             (4 + 4) * num_entries + size_of(PrcSum{}) * num_sums + fill.stored_bytes;
  // Components, their states, and where each component's numbers begin.
  const std::int64_t lasting = 4 * num_states + 4 * num_rows + (4 + 4 + 24) * std::int64_t{components.num_components} +
                               symbolic_bytes + size_of(PrcFront{}) * fill.num_fronts;
  // Listing arrivals takes the edges once more; multiply-adds, written before, a few numbers for each row.
  const std::int64_t passing =
      std::max(25 * fill.largest_rows - arrivals, 16 * edges.num_external_terms() + 16 * num_rows);
  prediction.elimination_bytes = prediction.program_bytes + lasting + passing;
  const bool by_fronts = 2 * fill.num_front_pairs > prediction.factor_multiply_adds + prediction.solve_multiply_adds;
  prediction.replay =
      replay_bytes({num_rows, edges.num_groups, edges.num_terms, edges.num_value_slots, fill.num_differences,
                    fill.largest_entries, prediction.largest_component, fill.largest_differences, by_fronts},
                   graph.time_kind());
  return prediction;
}

}  // namespace sojourn
