#include "elimination/step_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "elimination/level_schedule.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

TaskGraph graph_of(const std::vector<std::vector<std::int32_t>>& before, std::vector<double> cost) {
  TaskGraph graph{std::move(cost), {0}, {}};
  for (const std::vector<std::int32_t>& own : before) {
    graph.before.insert(graph.before.end(), own.begin(), own.end());
    graph.begin.push_back(static_cast<std::int64_t>(graph.before.size()));
  }
  return graph;
}

struct Place {
  std::int32_t step = -1, stream = -1, at = -1;
};

std::vector<Place> places_of(const StepSchedule& schedule, std::int32_t num_tasks) {
  std::vector<Place> places(num_tasks);
  for (std::size_t r = 0; r + 1 < schedule.run.size(); ++r)
    for (std::int32_t k = schedule.run[r]; k < schedule.run[r + 1]; ++k) {
      Place& place = places.at(schedule.order.at(k));
      EXPECT_EQ(place.step, -1) << "a task twice";
      const auto run = static_cast<std::int32_t>(r);
      place = {run / schedule.num_streams, run % schedule.num_streams, k};
    }
  return places;
}

void expect_valid(const TaskGraph& graph, const StepSchedule& schedule, double barrier) {
  const std::vector<Place> places = places_of(schedule, graph.num_tasks());
  std::vector<double> run_cost(schedule.run.size() - 1, 0);
  for (std::int32_t t = 0; t < graph.num_tasks(); ++t) {
    ASSERT_GE(places[t].step, 0) << "task " << t << " is missing";
    run_cost[places[t].step * schedule.num_streams + places[t].stream] += graph.cost[t];
    for (std::int64_t e = graph.begin[t]; e < graph.begin[t + 1]; ++e) {
      const Place &own = places[t], &before = places[graph.before[e]];
      EXPECT_TRUE(before.step < own.step ||
                  (before.step == own.step && before.stream == own.stream && before.at < own.at))
          << graph.before[e] << " before " << t;
    }
  }
  double cost = 0;
  for (std::int32_t step = 0; step < schedule.num_steps(); ++step)
    cost += barrier + *std::max_element(run_cost.begin() + step * schedule.num_streams,
                                        run_cost.begin() + (step + 1) * schedule.num_streams);
  EXPECT_NEAR(schedule.cost, cost, 1e-9 * cost);
}

TEST(StepSchedule, AChainIsOneRun) {
  std::vector<std::vector<std::int32_t>> before(50);
  for (std::int32_t t = 1; t < 50; ++t) before[t] = {t - 1};
  const StepSchedule schedule = deal_out(graph_of(before, std::vector<double>(50, 3.0)), 8, 6);
  EXPECT_EQ(schedule.num_steps(), 1);
  EXPECT_DOUBLE_EQ(schedule.cost, 50 * 3 + 6);
}

TEST(StepSchedule, IndependentTasksAreSharedEvenly) {
  const TaskGraph graph = graph_of(std::vector<std::vector<std::int32_t>>(64), std::vector<double>(64, 2.0));
  const StepSchedule schedule = deal_out(graph, 8, 6);
  expect_valid(graph, schedule, 6);
  EXPECT_EQ(schedule.num_steps(), 1);
  EXPECT_DOUBLE_EQ(schedule.cost, 8 * 2 + 6);
}

/// One task opens work for everybody: its stream must not keep it.
TEST(StepSchedule, WhatOneStreamOpensIsShared) {
  std::vector<std::vector<std::int32_t>> before(65);
  for (std::int32_t t = 1; t < 65; ++t) before[t] = {0};
  const TaskGraph graph = graph_of(before, std::vector<double>(65, 2.0));
  const StepSchedule schedule = deal_out(graph, 8, 6);
  expect_valid(graph, schedule, 6);
  EXPECT_EQ(schedule.num_steps(), 2);
  EXPECT_DOUBLE_EQ(schedule.cost, 2 + 6 + 8 * 2 + 6);
}

TEST(StepSchedule, RandomGraphsAreKept) {
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    const std::int32_t n = 1 + static_cast<std::int32_t>(random() % 200);
    std::vector<std::vector<std::int32_t>> before(n);
    std::vector<double> cost(n);
    for (std::int32_t t = 0; t < n; ++t) {
      cost[t] = 1 + static_cast<double>(random() % 40);
      std::set<std::int32_t> own;
      for (std::size_t k = random() % 4; t > 0 && k > 0; --k)
        own.insert(t - 1 - static_cast<std::int32_t>(random() % std::min(t, 30)));
      before[t].assign(own.begin(), own.end());
    }
    const TaskGraph graph = graph_of(before, cost);
    const double all = std::accumulate(cost.begin(), cost.end(), 0.0);
    for (const std::int32_t streams : {1, 2, 7, 16}) {
      const StepSchedule schedule = deal_out(graph, streams, 6);
      expect_valid(graph, schedule, 6);
      EXPECT_GE(schedule.cost, all / streams);
      // Whatever is dealt out, one stream that does everything in one step is not much better.
      EXPECT_LE(schedule.cost, 1.5 * (all + 6));
    }
  }
}

TEST(LevelSchedule, ComponentsGoByLevelsAndWavesFit) {
  const std::int32_t two_demes[] = {4, 3};
  const PrcArrays own = eliminate(structured_coalescent_blocks(two_demes).graph).arrays();
  const PrcArrays arrays = by_level(own);
  // What a component leads to comes before it.
  std::vector<std::size_t> component_of_row(arrays.rows.size());
  for (std::size_t c = 0; c < arrays.components.size(); ++c)
    for (std::int32_t v = arrays.components[c].row_begin; v < arrays.components[c].row_end; ++v)
      component_of_row[v] = c;
  for (std::size_t v = 0; v < arrays.rows.size(); ++v)
    for (std::int64_t g = arrays.rows[v].group_begin; g < arrays.rows[v].group_middle; ++g)
      for (std::int64_t t = arrays.groups[g].term_begin; t < arrays.groups[g].term_end; ++t)
        EXPECT_LT(component_of_row[arrays.terms[t].column], component_of_row[v]);
  EXPECT_LE(arrays.num_value_slots, own.num_value_slots);

  const PrcComponentBounds bounds = arrays.component_bounds();
  const std::int64_t largest = bounds.most_entries + 2 * std::int64_t{bounds.most_rows};
  std::size_t num_waves = arrays.components.size() + 1;
  for (const std::int64_t slots : {largest, 2 * largest, 100 * largest}) {
    const LevelSchedule schedule = make_level_schedule(arrays, {8, slots, 8});
    EXPECT_LE(schedule.num_factor_slots, slots);
    EXPECT_LT(schedule.waves.size(), num_waves);
    num_waves = schedule.waves.size();
    EXPECT_EQ(schedule.waves.front().component_begin, 0);
    EXPECT_EQ(static_cast<std::size_t>(schedule.waves.back().component_end), arrays.components.size());
    EXPECT_EQ(schedule.sum_rows.size(), arrays.rows.size());
    EXPECT_EQ(schedule.sum_run.size(), 1 + 8 * schedule.waves.size());
  }
  EXPECT_EQ(num_waves, 1U);
}

}  // namespace
}  // namespace sojourn
