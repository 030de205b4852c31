#pragma once

#include <array>
#include <string>
#include <vector>

#include "cli/bench_machine.hpp"
#include "cli/bench_measure.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {

/// Everything that one benchmark tells.
struct BenchReport {
  BenchPlan plan;
  BenchMachine machine;
  std::array<double, 3> load_before{}, load_after{};
  BuildInfo build;
  std::vector<std::string> warnings;
  BenchResult result;
};

/// "1.03 M", "812", "0.052": three significant digits with k, M, G or T.
std::string format_rate(double per_second);

/// What keeps these numbers from being the machine's: load before the start, cores that were not free, a wide spread.
std::vector<std::string> bench_warnings(const BenchReport& report);

/// Why no CUDA device is measured.
std::string why_no_device(const BuildInfo& build);

/// What is counted for multiply-adds and shares, in sentences.
const char* bench_counting();

/// How much faster the largest number of threads is than the smallest, median over the cases at their largest number
/// of particles; one per quantity, NaN where there is nothing to compare.
std::array<double, 4> bench_speedups(const BenchResult& result);

std::string bench_table(const BenchReport& report);
std::string bench_json(const BenchReport& report);

}  // namespace sojourn::cli
