#include <algorithm>

#include "graph/family_build.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

/// Up to here a reward for each block size takes less memory than the edges.
constexpr std::int32_t kLargestSpectrum = 48;

}  // namespace

Model coalescent_lineages(std::int32_t samples, std::int64_t max_states) {
  expect_at_least("coalescent", "samples", samples, 2);
  expect_state_count("coalescent", samples, 1, max_states);
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  IntegerRows lineages(1);
  std::vector<double> length;
  for (std::int32_t left = samples; left > 0; --left) {
    lineages.append({&left, 1});
    length.push_back(left);
  }
  builder.set_states({"lineages"}, std::move(lineages));
  for (std::int32_t s = 0; s + 1 < samples; ++s) {
    const RateTerm term{0, num_pairs(samples - s)};
    builder.add_edge(s, s + 1, 0, {&term, 1});
  }
  builder.add_initial(0, 1);
  builder.add_reward("length", std::move(length));
  return family_model("coalescent", {"theta"}, std::move(builder).build());
}

Model coalescent_blocks(std::int32_t samples, std::int64_t max_states) {
  expect_at_least("coalescent", "samples", samples, 2);
  expect_state_count("coalescent", num_partitions(samples, 1), samples, max_states);

  ExploreOptions options;
  options.max_states = max_states;
  options.concurrent = true;
  std::vector<std::int32_t> start(samples, 0);
  start[0] = samples;
  options.initial = {{start, 1.0}};
  for (std::int32_t i = 1; i <= samples; ++i) options.variable_names.push_back("b_" + std::to_string(i));

  using State = std::span<const std::int32_t>;
  options.rewards.emplace_back("length", [](State state) {
    double sum = 0;
    for (const std::int32_t count : state) sum += count;
    return sum;
  });
  options.rewards.emplace_back("singletons", [](State state) { return static_cast<double>(state[0]); });
  if (samples <= kLargestSpectrum)
    for (std::int32_t i = 1; i < samples; ++i)
      options.rewards.emplace_back("bin_" + std::to_string(i),
                                   [i](State state) { return static_cast<double>(state[i - 1]); });

  const auto transitions = [samples, sizes = start](State state, TransitionSink& sink) mutable {
    std::int32_t num_sizes = 0;
    for (std::int32_t i = 1; i <= samples; ++i)
      if (state[i - 1] > 0) sizes[num_sizes++] = i;
    for (std::int32_t p = 0; p < num_sizes; ++p)
      for (std::int32_t q = p; q < num_sizes; ++q) {
        const std::int32_t i = sizes[p], j = sizes[q];
        const double pairs = p == q ? num_pairs(state[i - 1]) : static_cast<double>(state[i - 1]) * state[j - 1];
        if (pairs == 0) continue;
        const VariableChange changes[] = {{i - 1, -1}, {j - 1, -1}, {i + j - 1, 1}};
        const RateTerm term{0, pairs};
        sink.emit_change(changes, 0, {&term, 1});
      }
  };
  return family_model("coalescent", {"theta"}, explore(options, transitions));
}

}  // namespace sojourn
