#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/bench_cases.hpp"
#include "cli/bench_limits.hpp"
#include "sojourn/device.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn::cli {

/// What one value of a throughput is.
enum class BenchQuantity { kLikelihood, kLikelihoodGradient, kMean, kMeanGradient };
inline constexpr BenchQuantity kBenchQuantities[] = {BenchQuantity::kLikelihood, BenchQuantity::kLikelihoodGradient,
                                                     BenchQuantity::kMean, BenchQuantity::kMeanGradient};
/// "log_likelihood", "log_likelihood_gradient", "mean", "mean_gradient": names in JSON.
const char* to_string(BenchQuantity quantity);

/// How to measure.
struct BenchPlan {
  bool quick = false;
  std::vector<int> threads;
  std::vector<Precision> precisions{Precision::kDouble};  ///< single precision for means alone
  std::vector<std::int64_t> particles;  ///< empty: a sampler's 200, and as many as a second or so takes
  int num_repetitions = 5;
  double seconds = 0.2;  ///< at least, for one repetition of one measurement
  std::int64_t num_observations = 1000;
  std::size_t last_cache_bytes = 0;  ///< what the copy loop must not fit into
  Device device;                     ///< measured beside the CPU where there is one
};

/// Repetitions of one number.
struct Spread {
  std::vector<double> values;
  [[nodiscard]] double median() const;
  [[nodiscard]] double low() const;
  [[nodiscard]] double high() const;
  /// Half the range over the median, 0 without values.
  [[nodiscard]] double relative() const;
};

/// The two loops of `MachineProbe` with a number of threads.
struct BenchLimit {
  int num_threads = 1;
  Spread multiply_adds, copied_bytes;  ///< per second
};

struct BenchRow {
  std::size_t case_index = 0;
  BenchQuantity quantity = BenchQuantity::kMean;
  Precision precision = Precision::kDouble;
  int num_threads = 1;
  std::int64_t num_particles = 0;
  Spread rate;                  ///< particles per second; empty where not measured
  std::string device = "cpu";   ///< else "cuda:0 ..."
  std::int64_t num_on_cpu = 0;  ///< of all runs' particles, those that a device left to the CPU
  double multiply_adds = 0;     ///< counted per particle, 0: not counted
  double bytes = 0;             ///< through memory, counted per particle, 0: not counted
  std::string not_measured;     ///< why not
  MomentTraffic traffic;        ///< of a device's means
};

/// A case with its elimination.
struct BenchCaseFacts {
  std::string name, description;
  std::int64_t num_states = 0, num_edges = 0, num_parameters = 0;
  std::int64_t factor_multiply_adds = 0, solve_multiply_adds = 0, program_bytes = 0;
  double elimination_seconds = 0;  ///< the fastest of those that were needed
};

struct BenchResult {
  std::vector<BenchLimit> limits;  ///< one per number of threads
  std::vector<BenchCaseFacts> cases;
  std::vector<BenchRow> rows;  ///< case, threads, particles, quantity; of a case the device's last
  std::string device;          ///< empty: none was measured
  DeviceLimits device_limits;
};

/// Throughput as a share of the best that the machine's loops reached with as many threads or fewer; 0 where nothing is
/// counted.
///
/// On a device multiply-adds count against dot products from shared memory where the lanes' numbers lie there, and
/// against those on registers where they do not; then numbers read count against copies inside the second cache, or
/// with parameters and results against copies through memory.
struct BenchShare {
  double multiply_adds = 0, copy = 0, cache = 0;
  bool by_registers = false;  ///< what `multiply_adds` is a share of, on a device
  [[nodiscard]] double largest() const { return std::max({multiply_adds, copy, cache}); }
  /// "multiply_adds", "fp64", "copy" or "cache", whose share is the largest; "" where nothing is counted.
  [[nodiscard]] const char* limit() const;
};
BenchShare share_of_limit(const BenchRow& row, const BenchResult& result);

/// Runs everything: each case alone, its thread counts one after the other, the repetitions of its quantities
/// alternating; the machine's loops before the first case and after each.
/// Elapsed time of the caller's threads, so what else runs on the machine shows.
/// A quantity that fails is a row that says why. @throws NumericalError where all of a case's fail.
BenchResult run_bench(const std::vector<BenchCase>& cases, const BenchPlan& plan);

/// How many particles of a case a plan without its own numbers takes for means, [1 or 2], and for log-likelihoods at
/// most (0: one alone would take too long), from the predicted multiply-adds.
struct BenchSizes {
  std::vector<std::int64_t> particles;
  std::int64_t most_for_likelihood = 0;
};
BenchSizes bench_sizes(const BenchPlan& plan, std::int64_t factor_multiply_adds, std::int64_t solve_multiply_adds);

}  // namespace sojourn::cli
