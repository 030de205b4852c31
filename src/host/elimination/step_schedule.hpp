#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sojourn {

/// Tasks of a program in an order in which they may run one by one. Task t waits for `before[begin[t], begin[t + 1])`.
struct TaskGraph {
  std::vector<double> cost;         ///< [tasks] in the unit of `barrier`
  std::vector<std::int64_t> begin;  ///< [tasks + 1]
  std::vector<std::int32_t> before;
  [[nodiscard]] std::int32_t num_tasks() const { return static_cast<std::int32_t>(cost.size()); }
};

/// Tasks by steps, and in each step by streams: run r = step * num_streams + stream has `order[run[r], run[r + 1])`.
struct StepSchedule {
  std::int32_t num_streams = 0;
  std::vector<std::int32_t> order;
  std::vector<std::int32_t> run{0};
  double cost = 0;  ///< of the longest run of each step, and its barrier
  [[nodiscard]] std::int32_t num_steps() const { return static_cast<std::int32_t>(run.size() - 1) / num_streams; }
};

/// Deals tasks out. A task runs in a later step than what it waits for, or behind it in the same run. A step is made as
/// long as the streams have work: its size grows while work a unit of time does, the barrier counted (after GrowLocal,
/// Steiner, Papp et al. 2025). What waits longest for its own successors is dealt out first.
/// Cost: O((tasks + edges) log tasks) times a small number of sizes.
StepSchedule deal_out(const TaskGraph& graph, std::int32_t num_streams, double barrier);

}  // namespace sojourn
