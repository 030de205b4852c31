#include "cli/bench_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/help_format.hpp"
#include "cli/text_table.hpp"

namespace sojourn::cli {
namespace {

/// Runnable processes per core before the start, beyond which results suffer.
constexpr double kBusyLoad = 0.3;
/// Half range over median of the multiply-add loop, which nothing but other programs or changing clocks disturb.
constexpr double kWideSpread = 0.05;

std::string percent(double share) {
  const double value = 100 * share;
  return fmt::format("{:.{}f} %", value, value < 0.995 ? 2 : value < 9.95 ? 1 : 0);
}

std::string with_spread(const Spread& spread) {
  return fmt::format("{} ({})", format_rate(spread.median()), percent(spread.relative()));
}

const char* name_of(BenchQuantity quantity) {
  switch (quantity) {
    case BenchQuantity::kLikelihood:
      return "likelihoods";
    case BenchQuantity::kLikelihoodGradient:
      return "gradients";
    case BenchQuantity::kMean:
      return "means";
    default:
      return "mean gradients";
  }
}

/// "cuda:0" of "cuda:0 NVIDIA H200, 139 GiB".
std::string short_name(const std::string& device) { return device.substr(0, device.find(' ')); }

std::string limits_table(const BenchResult& result) {
  TextTable table({"limit with threads", "multiply-adds/s", "bytes copied/s"});
  const auto best = [](const Spread& spread) {
    return fmt::format("{} ({})", format_rate(spread.high()), percent(spread.relative()));
  };
  for (const BenchLimit& limit : result.limits) {
    table.add({std::to_string(limit.num_threads), best(limit.multiply_adds), best(limit.copied_bytes)});
  }
  return table.text();
}

std::string cases_table(const BenchResult& result) {
  TextTable table({"case", "states", "edges", "multiply-adds", "elimination", "what it is"});
  for (const BenchCaseFacts& one : result.cases) {
    table.add({one.name, format_count(one.num_states), format_count(one.num_edges),
               format_count(one.factor_multiply_adds + one.solve_multiply_adds),
               fmt::format("{:.3g} ms", 1e3 * one.elimination_seconds), one.description});
  }
  return table.text();
}

std::string rates_table(const BenchResult& result) {
  TextTable table({"case", "precision", "threads", "particles", "likelihoods/s", "gradients/s", "means/s",
                   "mean gradients/s", "multiply-adds/s of means", "of the limit", "of likelihoods", "of the limit"});
  constexpr std::size_t kLine = std::size(kBenchQuantities);
  for (std::size_t first = 0; first + kLine <= result.rows.size(); first += kLine) {
    const BenchRow &likelihood = result.rows[first], &mean = result.rows[first + kLine - 2];
    std::vector<std::string> line{result.cases[mean.case_index].name, to_string(mean.precision),
                                  mean.device == "cpu" ? std::to_string(mean.num_threads) : short_name(mean.device),
                                  std::to_string(mean.num_particles)};
    for (std::size_t i = 0; i < kLine; ++i) {
      const BenchRow& row = result.rows[first + i];
      std::string cell = row.rate.values.empty() ? "-" : with_spread(row.rate);
      if (!row.rate.values.empty() && row.num_particles != mean.num_particles)
        cell += fmt::format(" [{}]", row.num_particles);
      line.push_back(std::move(cell));
    }
    for (const BenchRow* const row : {&mean, &likelihood}) {
      const bool counted = share_of_limit(*row, result).largest() > 0;
      line.push_back(counted ? format_rate(row->multiply_adds * row->rate.median()) : "-");
      line.push_back(counted ? percent(share_of_limit(*row, result).largest()) : "-");
    }
    table.add(std::move(line));
  }
  return table.text();
}

}  // namespace

std::string format_rate(double per_second) {
  if (!std::isfinite(per_second)) return "-";
  constexpr std::pair<double, const char*> kUnits[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1, ""}};
  for (const auto& [unit, letter] : kUnits) {
    // Three digits of 999.5 and above read 1000.
    const double value = per_second / unit;
    if (value < 0.9995) continue;
    return fmt::format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, letter);
  }
  return fmt::format("{:.3g}", per_second);
}

const char* bench_counting() {
  return "likelihoods are log-likelihoods of all observations, one per particle, gradients the same with all "
         "derivatives, means first moments; elapsed time, median over the repetitions and half the range. "
         "Multiply-adds of means are those that the elimination predicts: factor and one solve, two solves with "
         "gradient. Those of likelihoods are counted while they are evaluated: the same of each transform on a "
         "contour, four for a product of complex numbers and two for one with an edge's coefficient, and the sums over "
         "a shared contour's nodes; stepping and uniformization are not counted, nor what a device factors a second "
         "time. Neither are exit "
         "rates and sums over edges. Bytes through memory, of means alone: parameters and results, and programs larger "
         "than the last cache once for 32 particles. The share is of the best that the loops reached, by multiply-adds "
         "or by bytes, whichever is larger; both loops run in fp64.";
}

std::string why_no_device(const BuildInfo& build) {
  if (!build.cuda) return "this program is built without CUDA";
  if (build.devices.empty()) return "no CUDA device is seen";
  return "ask for it with --device cuda";
}

std::vector<std::string> bench_warnings(const BenchReport& report) {
  std::vector<std::string> warnings;
  const double load = report.load_before[0];
  if (load > kBusyLoad * report.machine.num_usable_cores) {
    warnings.push_back(fmt::format(
        "the machine is busy: load average {:.2f} on {} usable cores before the start; numbers may be too low", load,
        report.machine.num_usable_cores));
  }
  for (const BenchLimit& limit : report.result.limits) {
    if (limit.multiply_adds.relative() > kWideSpread) {
      warnings.push_back(
          fmt::format("other programs or changing clocks: the multiply-add loop with {} thread{} varied "
                      "from {} to {} per second",
                      limit.num_threads, limit.num_threads == 1 ? "" : "s", format_rate(limit.multiply_adds.low()),
                      format_rate(limit.multiply_adds.high())));
    }
  }
  for (const int num_threads : report.plan.threads) {
    if (num_threads > report.machine.num_usable_cores) {
      warnings.push_back(fmt::format("{} threads share {} usable cores", num_threads, report.machine.num_usable_cores));
    }
  }
  return warnings;
}

std::array<double, 4> bench_speedups(const BenchResult& result) {
  std::array<double, 4> speedups{};
  if (result.limits.empty()) return speedups;
  int fewest = result.limits.front().num_threads, most = fewest;
  for (const BenchLimit& limit : result.limits) {
    fewest = std::min(fewest, limit.num_threads);
    most = std::max(most, limit.num_threads);
  }
  for (std::size_t q = 0; q < speedups.size(); ++q) {
    Spread ratios;
    for (std::size_t c = 0; c < result.cases.size() && most > fewest; ++c) {
      double slow = 0, fast = 0;
      // Rows stand in order of the number of particles: the last one counts.
      for (const BenchRow& row : result.rows) {
        if (row.precision != result.rows.front().precision || row.device != "cpu") continue;
        if (row.case_index != c || row.quantity != kBenchQuantities[q] || row.rate.values.empty()) continue;
        if (row.num_threads == fewest) slow = row.rate.median();
        if (row.num_threads == most) fast = row.rate.median();
      }
      if (slow > 0) ratios.values.push_back(fast / slow);
    }
    speedups[q] = ratios.median();
  }
  return speedups;
}

std::string bench_table(const BenchReport& report) {
  const auto load = [](const std::array<double, 3>& values) {
    return values[0] < 0 ? std::string("unknown")
                         : fmt::format("{:.2f} {:.2f} {:.2f}", values[0], values[1], values[2]);
  };
  std::string text =
      fmt::format("sojourn {}, {}, {}, {} kernels, {} repetitions of {:g} s or more, {} observations\n",
                  report.build.version, report.build.compiler, report.build.build_type, report.build.instruction_set,
                  report.plan.num_repetitions, report.plan.seconds, report.plan.num_observations);
  text += fmt::format("machine  {}\nload     {} before, {} after\n\n", describe(report.machine),
                      load(report.load_before), load(report.load_after));
  text += limits_table(report.result) + '\n' + cases_table(report.result) + '\n' + rates_table(report.result) + '\n';
  const std::array<double, 4> speedups = bench_speedups(report.result);
  std::string gained;
  for (std::size_t q = 0; q < speedups.size(); ++q) {
    if (std::isfinite(speedups[q]))
      gained += fmt::format("{}{} {:.2f}", gained.empty() ? "" : ", ", name_of(kBenchQuantities[q]), speedups[q]);
  }
  if (!gained.empty()) {
    const auto [fewest, most] = std::minmax_element(report.plan.threads.begin(), report.plan.threads.end());
    text += fmt::format("{} threads over {}: {}\n", *most, *fewest, gained);
  }
  if (report.result.device.empty()) {
    text += "device cuda: not measured, " + why_no_device(report.build) + '\n';
  } else {
    const DeviceLimits& limits = report.result.device_limits;
    text += fmt::format(
        "device {}: {} multiply-adds/s of dot products from shared memory, {} on registers; {} bytes/s copied inside "
        "its cache, {} through its memory; its means' shares are of what their mapping reads from\n",
        report.result.device, format_rate(limits.shared_dot), format_rate(limits.multiply_adds),
        format_rate(limits.cache_bytes), format_rate(limits.memory_bytes));
  }
  std::vector<std::string> told;
  bool fewer = false;
  for (const BenchRow& row : report.result.rows) {
    const std::string& name = report.result.cases[row.case_index].name;
    if (!row.not_measured.empty()) {
      std::string line = fmt::format("-: {}, {}: {}\n", name, name_of(row.quantity), row.not_measured);
      if (std::find(told.begin(), told.end(), line) == told.end()) told.push_back(std::move(line));
    }
    fewer = fewer || (row.quantity == BenchQuantity::kLikelihood && !row.rate.values.empty() &&
                      row.num_particles < (&row + 2)->num_particles);
  }
  for (const std::string& line : told) text += line;
  if (fewer) text += "[n]: n particles, as more would take too long\n";
  text += wrap(std::string("what is counted: ") + bench_counting(), kHelpWidth, 2) + '\n';
  return text;
}

}  // namespace sojourn::cli
