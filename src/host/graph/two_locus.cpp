#include <algorithm>
#include <array>

#include "graph/family_build.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

constexpr const char* kFamily = "two_locus";
constexpr std::int32_t kCoalescence = 0;
constexpr std::int32_t kRecombination = 1;
using State = std::span<const std::int32_t>;

/// Blocks of a state by type (i, j), stored at i * (samples + 1) + j; type (0, 0) keeps no count and has no place.
class BlockTypes {
 public:
  explicit BlockTypes(std::int32_t samples) : samples_(samples) {
    for (std::int32_t t = 0; t < num_types(); ++t) {
      first_.push_back((t + 1) / (samples + 1));
      second_.push_back((t + 1) % (samples + 1));
      for (const int locus : {0, 1}) {
        const std::int32_t carried = (locus == 0 ? first_ : second_).back();
        is_carried_[locus].push_back(carried > 0 ? -1 : 0);
        is_single_[locus].push_back(carried == 1 ? -1 : 0);
      }
    }
  }
  [[nodiscard]] std::int32_t num_types() const { return (samples_ + 1) * (samples_ + 1) - 1; }
  [[nodiscard]] std::int32_t index(std::int32_t i, std::int32_t j) const { return i * (samples_ + 1) + j - 1; }
  [[nodiscard]] std::int32_t first(std::int32_t index) const { return first_[index]; }
  [[nodiscard]] std::int32_t second(std::int32_t index) const { return second_[index]; }
  /// Number of lineages ancestral at a locus; 1 once the locus has found its common ancestor.
  [[nodiscard]] double num_lineages(State state, int locus) const { return sum_of(state, is_carried_[locus]); }
  /// Number of lineages that carry one sample of a locus.
  [[nodiscard]] double num_singletons(State state, int locus) const { return sum_of(state, is_single_[locus]); }
  [[nodiscard]] bool is_absorbed(State state) const {
    return num_lineages(state, 0) == 1 && num_lineages(state, 1) == 1;
  }

 private:
  /// Counts of the types that the mask has; they add up to at most twice the samples.
  static double sum_of(State state, const std::vector<std::int32_t>& mask) {
    std::int32_t sum = 0;
    for (std::size_t t = 0; t < state.size(); ++t) sum += state[t] & mask[t];
    return sum;
  }

  std::int32_t samples_;
  std::vector<std::int32_t> first_, second_;  ///< [num_types] samples at each locus
  /// [num_types] for each locus, all bits set or none: whether the type carries samples there, or just one.
  std::array<std::vector<std::int32_t>, 2> is_carried_, is_single_;
};

/// Rewards `height_l` and `length_l` from the number of ancestral lineages of a locus.
template <class LineageCount>
void add_locus_rewards(ExploreOptions& options, const LineageCount& num_lineages) {
  for (const int locus : {0, 1}) {
    const std::string suffix = std::to_string(locus + 1);
    options.rewards.emplace_back(
        "height_" + suffix, [num_lineages, locus](State state) { return num_lineages(state, locus) > 1 ? 1.0 : 0.0; });
    options.rewards.emplace_back("length_" + suffix, [num_lineages, locus](State state) {
      const double lineages = num_lineages(state, locus);
      return lineages > 1 ? lineages : 0.0;
    });
  }
}

}  // namespace

Model two_locus(std::int32_t samples, std::int64_t max_states) {
  expect_at_least(kFamily, "samples", samples, 2);
  const double count = num_bipartite_partitions(samples) - 1;
  expect_state_count(kFamily, count, (samples + 1.0) * (samples + 1.0) - 1, max_states);
  const BlockTypes types(samples);

  ExploreOptions options;
  options.max_states = max_states;
  options.concurrent = true;
  options.num_rates = 2;
  std::vector<std::int32_t> start(types.num_types(), 0), absorbed(types.num_types(), 0);
  start[types.index(1, 1)] = samples;
  absorbed[types.index(samples, samples)] = 1;
  options.initial = {{start, 1.0}};
  for (std::int32_t t = 0; t < types.num_types(); ++t)
    options.variable_names.push_back("b_" + std::to_string(types.first(t)) + "_" + std::to_string(types.second(t)));
  add_locus_rewards(options, [types](State state, int locus) { return types.num_lineages(state, locus); });
  for (const int locus : {0, 1})
    options.rewards.emplace_back("singletons_" + std::to_string(locus + 1),
                                 [types, locus](State state) { return types.num_singletons(state, locus); });

  const auto transitions = [types, absorbed, to = start, held = start](State state, TransitionSink& sink) mutable {
    std::int32_t num_held = 0, num_blocks = 0;
    // Most types are not there, so several are passed over at once.
    constexpr std::size_t kStride = 8;
    for (std::size_t begin = 0; begin < state.size(); begin += kStride) {
      const State some = state.subspan(begin, std::min(kStride, state.size() - begin));
      std::int32_t any = 0;
      for (const std::int32_t count : some) any |= count;
      if (any == 0) continue;
      for (std::size_t k = 0; k < some.size(); ++k) {
        if (some[k] == 0) continue;
        held[num_held++] = static_cast<std::int32_t>(begin + k);
        num_blocks += some[k];
      }
    }
    if (num_blocks == 1) return;
    // An absorbed state is (n, n), or (n, 0) beside (0, n): two blocks at most.
    const auto emit = [&](std::span<const VariableChange> changes, std::int32_t rate, double coefficient) {
      const RateTerm term{rate, coefficient};
      if (num_blocks <= 3) {
        std::ranges::copy(state, to.begin());
        for (const VariableChange& change : changes) to[change.variable] += change.delta;
        if (types.is_absorbed(to)) {
          sink.emit(absorbed, 0, {&term, 1});
          return;
        }
      }
      sink.emit_change(changes, 0, {&term, 1});
    };
    for (std::int32_t p = 0; p < num_held; ++p) {
      const std::int32_t t = held[p], i = types.first(t), j = types.second(t);
      for (std::int32_t q = p; q < num_held; ++q) {
        const std::int32_t u = held[q];
        const double pairs = p == q ? num_pairs(state[t]) : static_cast<double>(state[t]) * state[u];
        if (pairs == 0) continue;
        const std::int32_t merged = types.index(i + types.first(u), j + types.second(u));
        const VariableChange changes[] = {{t, -1}, {u, -1}, {merged, 1}};
        emit(changes, kCoalescence, pairs);
      }
      if (i > 0 && j > 0) {
        const VariableChange changes[] = {{t, -1}, {types.index(i, 0), 1}, {types.index(0, j), 1}};
        emit(changes, kRecombination, state[t]);
      }
    }
  };
  return family_model(kFamily, {"coal", "rec"}, explore(options, transitions));
}

Model two_locus_lineages(std::int32_t samples, std::int64_t max_states) {
  expect_at_least(kFamily, "samples", samples, 2);
  // Pairs (a, b) for every ab with at least one lineage at each locus; the two absorbed states are one.
  const double n = samples;
  expect_state_count(kFamily, n * n + n * (n + 1) * (2 * n + 1) / 6 - 1, 3, max_states);
  ExploreOptions options;
  options.max_states = max_states;
  options.concurrent = true;
  options.num_rates = 2;
  options.variable_names = {"ab", "a", "b"};
  options.initial = {{{samples, 0, 0}, 1.0}};
  add_locus_rewards(options, [](State state, int locus) { return static_cast<double>(state[0]) + state[1 + locus]; });

  const auto transitions = [](State state, TransitionSink& sink) {
    const std::int32_t ab = state[0], a = state[1], b = state[2];
    if (ab + a == 1 && ab + b == 1) return;
    const auto emit = [&](std::int32_t to_ab, std::int32_t to_a, std::int32_t to_b, std::int32_t rate,
                          double coefficient) {
      const bool is_absorbed = to_ab + to_a == 1 && to_ab + to_b == 1;
      const std::int32_t to[] = {is_absorbed ? 1 : to_ab, is_absorbed ? 0 : to_a, is_absorbed ? 0 : to_b};
      const RateTerm term{rate, coefficient};
      sink.emit(to, 0, {&term, 1});
    };
    emit(ab - 1, a, b, kCoalescence, ab > 0 ? num_pairs(ab) : 0.0);
    if (a > 0) emit(ab, a - 1, b, kCoalescence, num_pairs(a) + static_cast<double>(ab) * a);
    if (b > 0) emit(ab, a, b - 1, kCoalescence, num_pairs(b) + static_cast<double>(ab) * b);
    if (a > 0 && b > 0) emit(ab + 1, a - 1, b - 1, kCoalescence, static_cast<double>(a) * b);
    if (ab > 0) emit(ab - 1, a + 1, b + 1, kRecombination, ab);
  };
  return family_model(kFamily, {"coal", "rec"}, explore(options, transitions));
}

}  // namespace sojourn
