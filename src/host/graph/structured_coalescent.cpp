#include <algorithm>
#include <cmath>
#include <numeric>

#include "expects.hpp"
#include "graph/family_build.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

constexpr const char* kFamily = "structured_coalescent";
using State = std::span<const std::int32_t>;

/// Checks the samples per deme and returns their sum.
std::int32_t total_of(std::span<const std::int32_t> samples) {
  expect_at_least(kFamily, "number of demes", std::ssize(samples), 1);
  std::int64_t total = 0;
  for (const std::int32_t count : samples) {
    expect_at_least(kFamily, "samples of a deme", count, 0);
    total += count;
  }
  expect_at_least(kFamily, "samples in all demes", total, 2);
  SOJOURN_EXPECTS(total <= 1'000'000, ModelError, "family '{}': {} samples in all demes; must be at most 1000000",
                  kFamily, total);
  return static_cast<std::int32_t>(total);
}

std::vector<std::string> parameter_names(std::int32_t num_demes) {
  std::vector<std::string> names;
  for (std::int32_t d = 0; d < num_demes; ++d) names.push_back("coal_" + std::to_string(d));
  for (std::int32_t i = 0; i < num_demes; ++i)
    for (std::int32_t j = 0; j < num_demes; ++j)
      if (i != j) names.push_back("mig_" + std::to_string(i) + "_" + std::to_string(j));
  return names;
}

std::int32_t migration_index(std::int32_t num_demes, std::int32_t i, std::int32_t j) {
  return num_demes + i * (num_demes - 1) + (j < i ? j : j - 1);
}

double sum_of(State counts) { return static_cast<double>(std::accumulate(counts.begin(), counts.end(), 0LL)); }

/// Rewards `length` and `length_d` of states that hold `width` counts for each deme.
void add_length_rewards(ExploreOptions& options, std::int32_t num_demes, std::int32_t width) {
  options.rewards.emplace_back("length", sum_of);
  for (std::int32_t d = 0; d < num_demes && num_demes > 1; ++d)
    options.rewards.emplace_back("length_" + std::to_string(d), [d, width](State state) {
      return sum_of(state.subspan(static_cast<std::size_t>(d) * width, width));
    });
}

}  // namespace

Model structured_coalescent(std::span<const std::int32_t> samples, std::int64_t max_states) {
  const std::int32_t total = total_of(samples);
  const auto num_demes = static_cast<std::int32_t>(samples.size());
  // Multisets of at most `total` lineages over the demes; lgamma is only off by rounding.
  const double count =
      std::exp(std::lgamma(total + num_demes + 1.0) - std::lgamma(total + 1.0) - std::lgamma(num_demes + 1.0)) -
      num_demes;
  expect_state_count(kFamily, count * (1 - 1e-9), num_demes, max_states);

  ExploreOptions options;
  options.max_states = max_states;
  options.concurrent = true;
  options.num_rates = num_demes * num_demes;
  options.initial = {{{samples.begin(), samples.end()}, 1.0}};
  for (std::int32_t d = 0; d < num_demes; ++d) options.variable_names.push_back("n_" + std::to_string(d));
  add_length_rewards(options, num_demes, 1);

  std::vector<std::int32_t> absorbed(num_demes, 0);
  absorbed[0] = 1;
  const auto transitions = [num_demes, absorbed](State state, TransitionSink& sink) {
    const double lineages = sum_of(state);
    if (lineages == 1) return;
    for (std::int32_t i = 0; i < num_demes; ++i) {
      if (state[i] == 0) continue;
      if (state[i] > 1) {
        const RateTerm term{i, num_pairs(state[i])};
        const VariableChange change{i, -1};
        if (lineages == 2) {
          sink.emit(absorbed, 0, {&term, 1});
        } else {
          sink.emit_change({&change, 1}, 0, {&term, 1});
        }
      }
      for (std::int32_t j = 0; j < num_demes; ++j) {
        if (i == j) continue;
        const RateTerm term{migration_index(num_demes, i, j), static_cast<double>(state[i])};
        const VariableChange changes[] = {{i, -1}, {j, 1}};
        sink.emit_change(changes, 0, {&term, 1});
      }
    }
  };
  return family_model(kFamily, parameter_names(num_demes), explore(options, transitions));
}

Model structured_coalescent_blocks(std::span<const std::int32_t> samples, std::int64_t max_states) {
  const std::int32_t total = total_of(samples);
  const auto num_demes = static_cast<std::int32_t>(samples.size());
  const std::size_t width = static_cast<std::size_t>(num_demes) * total;
  expect_state_count(kFamily, num_partitions(total, num_demes) - num_demes + 1, width, max_states);

  ExploreOptions options;
  options.max_states = max_states;
  options.concurrent = true;
  options.num_rates = num_demes * num_demes;
  std::vector<std::int32_t> start(width, 0), absorbed(width, 0);
  for (std::int32_t d = 0; d < num_demes; ++d) start[static_cast<std::size_t>(d) * total] = samples[d];
  absorbed[total - 1] = 1;
  options.initial = {{start, 1.0}};
  for (std::int32_t d = 0; d < num_demes; ++d)
    for (std::int32_t i = 1; i <= total; ++i)
      options.variable_names.push_back("b_" + std::to_string(d) + "_" + std::to_string(i));
  add_length_rewards(options, num_demes, total);
  options.rewards.emplace_back("singletons", [total, num_demes](State state) {
    double sum = 0;
    for (std::int32_t d = 0; d < num_demes; ++d) sum += state[static_cast<std::size_t>(d) * total];
    return sum;
  });

  const auto transitions = [total, num_demes, absorbed, held = start](State state, TransitionSink& sink) mutable {
    const double blocks = sum_of(state);
    if (blocks == 1) return;
    for (std::int32_t d = 0; d < num_demes; ++d) {
      const std::int32_t deme = d * total;
      std::int32_t num_held = 0;
      for (std::int32_t i = 0; i < total; ++i)
        if (state[deme + i] > 0) held[num_held++] = i;
      for (std::int32_t p = 0; p < num_held; ++p) {
        const std::int32_t i = held[p], count = state[deme + i];
        for (std::int32_t q = p; q < num_held; ++q) {
          const std::int32_t j = held[q];
          const double pairs = i == j ? num_pairs(count) : static_cast<double>(count) * state[deme + j];
          if (pairs == 0) continue;
          const RateTerm term{d, pairs};
          // Index k holds blocks of k + 1 samples.
          const VariableChange changes[] = {{deme + i, -1}, {deme + j, -1}, {deme + i + j + 1, 1}};
          if (blocks == 2) {
            sink.emit(absorbed, 0, {&term, 1});
          } else {
            sink.emit_change(changes, 0, {&term, 1});
          }
        }
        for (std::int32_t e = 0; e < num_demes; ++e) {
          if (e == d) continue;
          const RateTerm term{migration_index(num_demes, d, e), static_cast<double>(count)};
          const VariableChange changes[] = {{deme + i, -1}, {e * total + i, 1}};
          sink.emit_change(changes, 0, {&term, 1});
        }
      }
    }
  };
  return family_model(kFamily, parameter_names(num_demes), explore(options, transitions));
}

}  // namespace sojourn
