#include "elimination/predict_cost.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "elimination_cases.hpp"
#include "grid_graph.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"
#include "sojourn/memory.hpp"

namespace {

/// Bytes that `new` hands out, counted for the whole test program.
std::atomic<std::int64_t> held{0}, most_held{0};
constexpr std::size_t kHeader = 64;  // keeps every alignment up to a cache line

void* counted_new(std::size_t size) {
  auto* const block = static_cast<char*>(std::aligned_alloc(kHeader, (size + 2 * kHeader - 1) / kHeader * kHeader));
  if (block == nullptr) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(block) = size;
  const std::int64_t now = held += static_cast<std::int64_t>(size);
  std::int64_t most = most_held;
  while (most < now && !most_held.compare_exchange_weak(most, now)) {
  }
  return block + kHeader;
}
void counted_delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  char* const block = static_cast<char*>(pointer) - kHeader;
  held -= static_cast<std::int64_t>(*reinterpret_cast<std::size_t*>(block));
  std::free(block);
}

}  // namespace

// All that belong together: where some are replaced alone, a sanitizer's own take the others' memory back.
void* operator new(std::size_t size) { return counted_new(size); }
void* operator new[](std::size_t size) { return counted_new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return counted_new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* pointer) noexcept { counted_delete(pointer); }
void operator delete[](void* pointer) noexcept { counted_delete(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { counted_delete(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { counted_delete(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { counted_delete(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { counted_delete(pointer); }

namespace sojourn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

StateGraph grid(std::int32_t side) {
  return grid_graph(side, TimeKind::kContinuous, [](std::int32_t rate) { return 1.0 + rate; });
}

/// Multiply-adds of a program, counted along its arrays.
std::int64_t counted_factor_multiply_adds(const PrcArrays& arrays) {
  std::int64_t sum = 0;
  for (const PrcSum& entry : arrays.sums) sum += entry.num_pairs;
  for (const PrcComponent& component : arrays.components) {
    for (std::int64_t f = component.front_begin; f < component.front_end; ++f)
      sum += multiply_adds_of(arrays.fronts[f], arrays.front_slots);
  }
  for (const PrcRow& row : arrays.rows) sum += row.entry_middle - row.entry_begin;
  return sum;
}
std::int64_t counted_solve_multiply_adds(const PrcArrays& arrays) {
  std::int64_t sum = static_cast<std::int64_t>(arrays.entry_column.size());
  for (const PrcRow& row : arrays.rows)
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g)
      sum += arrays.groups[g].term_end - arrays.groups[g].term_begin;
  return sum;
}

class Prediction : public testing::TestWithParam<std::pair<const char*, StateGraph (*)()>> {
 protected:
  void SetUp() override {
    EliminationSettings off;
    off.cache = CacheMode::kOff;
    off.num_threads = 1;
    configure_elimination(off);
  }
};

TEST_P(Prediction, IsWhatEliminationTakes) {
  const StateGraph graph = GetParam().second();
  const CostPrediction predicted = predict_cost(graph);
  EXPECT_TRUE(predicted.exact);
  const std::int64_t before = held;
  most_held = before;
  const Prc prc = eliminate(graph);
  const PrcArrays& arrays = prc.arrays();
  const auto peak = static_cast<double>(most_held - before), left = static_cast<double>(held - before);

  EXPECT_EQ(predicted.factor_multiply_adds, counted_factor_multiply_adds(arrays));
  EXPECT_EQ(predicted.solve_multiply_adds, counted_solve_multiply_adds(arrays));
  EXPECT_EQ(predicted.num_transient, static_cast<std::int64_t>(arrays.rows.size()));
  EXPECT_EQ(predicted.num_components, static_cast<std::int64_t>(arrays.components.size()));
  EXPECT_EQ(predicted.largest_component, prc.cost().largest_component);
  // A few bytes at the ends of arrays are not counted.
  EXPECT_NEAR(static_cast<double>(predicted.program_bytes), static_cast<double>(prc.cost().bytes),
              1e-3 * static_cast<double>(prc.cost().bytes));
  // What was promised: within a fifth of the bytes held, counted where they are handed out.
  EXPECT_NEAR(static_cast<double>(predicted.program_bytes), left, 0.2 * left);
  EXPECT_NEAR(static_cast<double>(predicted.elimination_bytes), peak, 0.2 * peak);
  const std::int64_t slots = prc.cost().num_slots - arrays.num_rates - static_cast<std::int64_t>(arrays.forms.size());
  EXPECT_NEAR(static_cast<double>(predicted.replay.value), 8.0 * static_cast<double>(slots), 16.0);
  EXPECT_EQ(predicted.replay, prc.cost().replay);
}

INSTANTIATE_TEST_SUITE_P(
    Models, Prediction,
    testing::Values(std::pair{"coalescent", +[] { return coalescent_blocks(42).graph; }},
                    std::pair{"two_demes",
                              +[] {
                                const std::int32_t samples[] = {15, 0};
                                return structured_coalescent_blocks(samples).graph;
                              }},
                    std::pair{"two_loci", +[] { return two_locus(8).graph; }},
                    std::pair{"grid", +[] { return grid(80); }},
                    std::pair{"queue", +[] { return birth_death(100'000, 1, false).graph; }},
                    std::pair{"erlang", +[] { return erlang(100'000).graph; }},
                    std::pair{"dense", +[] { return phase_type(40, std::vector<double>(40, 0.025)).graph; }}),
    [](const auto& info) { return info.param.first; });

TEST(PredictCost, NothingToEliminate) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(1);
  builder.add_initial(0, 1);
  const CostPrediction predicted = predict_cost(std::move(builder).build());
  EXPECT_EQ(predicted.num_transient, 0);
  EXPECT_EQ(predicted.largest_component, 0);
  EXPECT_EQ(predicted.factor_multiply_adds + predicted.solve_multiply_adds, 0);
}

TEST(PredictCost, EstimatesOfSymmetricFillAreClose) {
  const StateGraph graph = grid(80);
  const Components components = strongly_connected_components(graph);
  PatternIndex patterns;
  (void)index_patterns(graph, components, list_states(components), patterns);
  ASSERT_EQ(patterns.size(), 1);
  const SymbolicFactor factor = factor_symbolically(patterns.pattern(0), std::int64_t{1} << 40);
  const FillEstimate estimate = estimate_fill(patterns.pattern(0));
  EXPECT_TRUE(estimate.is_symmetric);
  // Orders of approximate degree count slightly too much where they eliminate several states at once.
  EXPECT_NEAR(static_cast<double>(estimate.num_pairs), static_cast<double>(factor.num_pairs), 0.05 * factor.num_pairs);
  EXPECT_NEAR(static_cast<double>(estimate.num_entries), static_cast<double>(factor.num_entries()),
              0.05 * static_cast<double>(factor.num_entries()));

  // Beyond the limit the estimate stands in for the fill, and is within a fifth of it.
  const CostPrediction whole = predict_cost(graph), cut = predict_cost(graph, whole.elimination_bytes / 4);
  EXPECT_FALSE(cut.exact);
  EXPECT_NEAR(static_cast<double>(cut.factor_multiply_adds), static_cast<double>(whole.factor_multiply_adds),
              0.2 * static_cast<double>(whole.factor_multiply_adds));
  EXPECT_NEAR(static_cast<double>(cut.elimination_bytes), static_cast<double>(whole.elimination_bytes),
              0.2 * static_cast<double>(whole.elimination_bytes));
}

TEST(PredictCost, WhatCannotFitIsRefusedBeforeItStarts) {
  EliminationSettings off;
  off.cache = CacheMode::kOff;
  configure_elimination(off);
  const auto refusal = [](const StateGraph& graph, std::int64_t max_bytes) {
    const std::int64_t before = held;
    most_held = before;
    std::string message = "no error";
    try {
      (void)eliminate(graph, max_bytes);
    } catch (const ModelError& error) {
      message = error.what();
    }
    return std::pair(message, most_held - before);
  };
  for (const StateGraph& graph : {grid(80), coalescent_blocks(38).graph, birth_death(50'000, 1, false).graph}) {
    const CostPrediction predicted = predict_cost(graph);
    const auto [message, bytes] = refusal(graph, predicted.elimination_bytes * 9 / 10);
    EXPECT_THAT(message, AllOf(HasSubstr(std::to_string(graph.num_states()) + " states"),
                               ::testing::ContainsRegex("about [0-9.]+ [KMG]iB of memory"), HasSubstr("allowed are"),
                               HasSubstr("--max-memory")));
    // Order and fill are looked at, the program is not begun.
    EXPECT_LT(bytes, predicted.elimination_bytes / 2);
    EXPECT_EQ(refusal(graph, predicted.elimination_bytes + 1000).first, "no error");
  }
  // The limit of the process counts where none is given.
  set_memory_limit(1);
  EXPECT_THAT(refusal(grid(20), 0).first, HasSubstr("allowed are 0 bytes"));
  set_memory_limit(0);
  EXPECT_EQ(refusal(grid(20), 0).first, "no error");
}

}  // namespace
}  // namespace sojourn
