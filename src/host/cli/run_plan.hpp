#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/device_plan.hpp"
#include "cli/run_memory.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::cli {

/// What a run will cost, predicted from a few evaluations.
struct RunPlan {
  std::string model;  ///< name
  std::int64_t num_particles = 0, num_iterations = 0;
  int num_threads = 1;
  double seconds_per_evaluation = 0;  ///< of one particle's log density and score, with all threads busy
  double seconds_start = 0, seconds_scores = 0, seconds_kernel = 0, seconds_total = 0;
  RunMemory memory;          ///< counted
  ProcessMemory process;     ///< measured after evaluations on all threads
  double process_bytes = 0;  ///< resident before the model was read
  /// Resident at the run's most, on the first rank: what is held now and what is counted to come, and no less than
  /// loading and elimination have held already.
  double bytes = 0;
  std::vector<double> bytes_of_ranks;  ///< the same of each rank; empty on one
  std::int64_t dimension = 1;
  std::int64_t num_ranks = 1;  ///< that a launcher has started
  std::optional<DevicePlan> device;
};

/// How many ranks a run is worth.
struct RankAdvice {
  std::int64_t ranks = 1;      ///< the most that keep an efficiency of 90 %
  double efficiency = 1;       ///< predicted for them, against one rank
  double seconds_total = 0;    ///< predicted for them
  double seconds_started = 0;  ///< predicted for the ranks that were started
  std::string text;            ///< a sentence for people
  std::string profile;         ///< of `sojourn slurm`
  std::vector<std::string> warnings;
};

/// Seconds of one iteration on so many ranks: each does the work of its block of particles, and all exchange scores and
/// directions. What an exchange takes is assumed, not measured: 0.1 ms for each doubling of the ranks and 1 GB/s.
double iteration_seconds(const RunPlan& plan, std::int64_t num_ranks);

/// From measured costs. Ranks pay where one likelihood takes some milliseconds; below that, threads do.
RankAdvice advise_ranks(const RunPlan& plan);

/// Measures one batch of evaluations at draws from the prior and one kernel sum; takes a second or two at most, unless
/// a single evaluation takes longer.
RunPlan plan_run(const Posterior& posterior, const SvgdOptions& options, int num_threads);

/// The plan of a run; of one in stages also each of theirs.
std::string plan_json(const RunPlan& plan, const std::vector<RunPlan>& stages = {});
std::string plan_text(const RunPlan& plan, const std::vector<RunPlan>& stages = {});

}  // namespace sojourn::cli
