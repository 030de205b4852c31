#include "cli/bench_measure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/bench_machine.hpp"
#include "cli/bench_output.hpp"
#include "host/evaluation/host_loop_moments.hpp"
#include "host/posterior/host_loop_device.hpp"

namespace sojourn::cli {
namespace {

TEST(Spread, MedianRangeAndShare) {
  const Spread odd{{3, 1, 2}}, even{{4, 1, 2, 3}}, none;
  EXPECT_EQ(odd.median(), 2);
  EXPECT_EQ(odd.low(), 1);
  EXPECT_EQ(odd.high(), 3);
  EXPECT_EQ(odd.relative(), 0.5);
  EXPECT_EQ(even.median(), 2.5);
  EXPECT_TRUE(std::isnan(none.median()));
  EXPECT_EQ(none.relative(), 0);
}

TEST(FormatRate, ThreeDigitsOfEverySize) {
  EXPECT_EQ(format_rate(0.0524), "0.0524");
  EXPECT_EQ(format_rate(1), "1.00");
  EXPECT_EQ(format_rate(12.34), "12.3");
  EXPECT_EQ(format_rate(812.4), "812");
  EXPECT_EQ(format_rate(999.6), "1.00 k");
  EXPECT_EQ(format_rate(99960), "100 k");
  EXPECT_EQ(format_rate(1.034e6), "1.03 M");
  EXPECT_EQ(format_rate(27.25e9), "27.2 G");
  EXPECT_EQ(format_rate(1.5e12), "1.50 T");
  EXPECT_EQ(format_rate(std::nan("")), "-");
}

TEST(BenchSizes, FitTheWork) {
  BenchPlan plan;
  plan.threads = {1, 2};
  // Small models: a sampler's particles and the most; the grid: few means, no likelihood.
  EXPECT_EQ(bench_sizes(plan, 0, 8).particles, (std::vector<std::int64_t>{200, 10'000}));
  EXPECT_EQ(bench_sizes(plan, 0, 8).most_for_likelihood, 10'000);
  const BenchSizes grid = bench_sizes(plan, 12'000'000, 400'000);
  EXPECT_EQ(grid.particles.size(), 1U);
  EXPECT_EQ(grid.most_for_likelihood, 0);
  plan.quick = true;
  EXPECT_EQ(bench_sizes(plan, 0, 8).particles.size(), 1U);
}

/// One measured row of means.
BenchResult one_row() {
  BenchResult result;
  result.limits = {{1, {{90, 100}}, {{50}}}, {2, {{80}}, {{400}}}};
  result.cases.resize(1);
  BenchRow row;
  row.num_threads = 2;
  row.num_particles = 10;
  row.rate.values = {1, 2, 3};
  row.multiply_adds = 5;
  row.bytes = 20;
  result.rows = {row};
  return result;
}

TEST(ShareOfLimit, IsOfTheBestLoopWithAsManyThreadsOrFewer) {
  BenchResult result = one_row();
  const BenchShare share = share_of_limit(result.rows[0], result);
  EXPECT_DOUBLE_EQ(share.multiply_adds, 2.0 * 5 / 100);  // the loop with two threads was disturbed
  EXPECT_DOUBLE_EQ(share.copy, 2.0 * 20 / 400);
  EXPECT_DOUBLE_EQ(share.largest(), 0.1);
  result.rows[0].rate.values.clear();
  EXPECT_EQ(share_of_limit(result.rows[0], result).largest(), 0);
}

TEST(ShareOfLimit, OfADeviceIsOfItsOwnLimits) {
  BenchResult result = one_row();
  result.rows[0].device = "cuda:0 X";
  result.device_limits = {.shared_dot = 1000, .memory_bytes = 10'000};
  const BenchShare share = share_of_limit(result.rows[0], result);
  EXPECT_DOUBLE_EQ(share.multiply_adds, 2.0 * 5 / 1000);
  EXPECT_DOUBLE_EQ(share.copy, 2.0 * 20 / 10'000);
  EXPECT_STREQ(share.limit(), "multiply_adds");
}

/// A mean's share is of what its numbers come from.
TEST(ShareOfLimit, OfADeviceFollowsWhereNumbersLie) {
  BenchResult result = one_row();
  BenchRow& row = result.rows[0];
  row.device = "cuda:0 X";
  result.device_limits = {.shared_dot = 1000, .multiply_adds = 2000, .cache_bytes = 4000, .memory_bytes = 10'000};
  const auto share_with = [&](double shared, double cache, double memory) {
    row.traffic = {"levels", shared, cache, memory};
    return share_of_limit(row, result);
  };
  const BenchShare factors = share_with(80, 24, 0);
  EXPECT_DOUBLE_EQ(factors.multiply_adds, 2.0 * 5 / 1000);
  EXPECT_DOUBLE_EQ(factors.cache, 2.0 * 24 / 4000);
  EXPECT_DOUBLE_EQ(factors.copy, 2.0 * 20 / 10'000);
  EXPECT_STREQ(factors.limit(), "cache");
  const BenchShare cache = share_with(0, 8, 0);
  EXPECT_DOUBLE_EQ(cache.multiply_adds, 2.0 * 5 / 2000);
  EXPECT_STREQ(cache.limit(), "fp64");
  const BenchShare memory = share_with(0, 0, 104);
  EXPECT_DOUBLE_EQ(memory.copy, 2.0 * (20 + 104) / 10'000);
  EXPECT_STREQ(memory.limit(), "copy");
  EXPECT_EQ(memory.cache, 0);
  row.rate.values.clear();
  EXPECT_STREQ(share_of_limit(row, result).limit(), "");
}

TEST(RunBench, MeasuresADeviceBesideTheCpu) {
  BenchPlan plan;
  plan.quick = true;
  plan.threads = {1};
  plan.particles = {40};
  plan.num_repetitions = 2;
  plan.seconds = 0;
  plan.num_observations = 20;
  plan.device = {.likelihood = std::make_shared<testing::HostLoopDevice>(),
                 .svgd = nullptr,
                 .moments = std::make_shared<testing::HostLoopMoments>(),
                 .sampling = nullptr,
                 .limits = [] {
                   return DeviceLimits{1e9, 2e9, 3e9, 4e9};
                 }};
  BenchReport report;
  report.plan = plan;
  report.result = run_bench({make_bench_case("coxian_10", "", {})}, plan);
  ASSERT_EQ(report.result.rows.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    const BenchRow& row = report.result.rows[i];
    EXPECT_EQ(row.device, i < 4 ? "cpu" : "host loop");
    EXPECT_EQ(row.not_measured, "");
    EXPECT_EQ(row.rate.values.size(), 2U);
    EXPECT_EQ(row.num_on_cpu, 0);
  }
  const auto json = nlohmann::json::parse(bench_json(report));
  EXPECT_EQ(json["devices"][0]["status"], "measured");
  EXPECT_EQ(json["devices"][0]["memory_bytes_per_second"], 4e9);
  EXPECT_EQ(json["measurements"][6]["device"], "host loop");
  const double share = json["measurements"][6]["share_of_multiply_adds"].get<double>();
  EXPECT_NEAR(share, json["measurements"][6]["multiply_adds_per_second"].get<double>() / 1e9, 1e-12 * share);
  EXPECT_THAT(bench_table(report), ::testing::HasSubstr("device host loop: 1.00 G multiply-adds/s of dot products"));
}

TEST(BenchSpeedups, MedianOverCasesAtTheirLargestBatch) {
  BenchResult result;
  result.limits = {{1, {}, {}}, {2, {}, {}}, {4, {}, {}}};
  result.cases.resize(3);
  const auto add = [&](std::size_t c, int threads, std::int64_t particles, double rate) {
    BenchRow row;
    row.case_index = c;
    row.quantity = BenchQuantity::kMean;
    row.num_threads = threads;
    row.num_particles = particles;
    if (rate > 0) row.rate.values = {rate};
    result.rows.push_back(row);
  };
  for (const std::size_t c : {0, 1}) {
    add(c, 1, 10, 7);
    add(c, 1, 100, 10);
    add(c, 2, 100, 19);
    add(c, 4, 100, c == 0 ? 30 : 38);
  }
  add(2, 1, 100, 0);  // not measured
  const std::array<double, 4> speedups = bench_speedups(result);
  EXPECT_DOUBLE_EQ(speedups[2], 3.4);
  EXPECT_TRUE(std::isnan(speedups[0]));
}

TEST(BenchWarnings, TellOfABusyMachine) {
  BenchReport report;
  report.machine.num_usable_cores = 2;
  report.plan.threads = {1, 2};
  report.load_before = {0.1, 0, 0};
  report.result.limits = {{1, {{100, 101}}, {{1}}}};
  EXPECT_TRUE(bench_warnings(report).empty());
  report.load_before = {3.0, 0, 0};
  report.result.limits[0].multiply_adds.values = {50, 100};
  report.plan.threads.push_back(8);
  EXPECT_EQ(bench_warnings(report).size(), 3U);
}

TEST(MachineProbe, LoopsReachSomething) {
  EXPECT_EQ(MachineProbe::copy_size(0), 64U << 20);
  EXPECT_EQ(MachineProbe::copy_size(48U << 20), 96U << 20);
  EXPECT_EQ(MachineProbe::copy_size(4UL << 30), 512U << 20);
  MachineProbe probe(1 << 20, 2);
  for (const int num_threads : {1, 2}) {
    // Any processor that runs this does a million a second.
    EXPECT_GT(probe.multiply_adds_per_second(num_threads, 0.001), 1e6);
    EXPECT_GT(probe.copied_bytes_per_second(num_threads, 0.001), 1e6);
  }
}

TEST(MachineFacts, DescribesItself) {
  const BenchMachine machine = bench_machine();
  EXPECT_GE(machine.num_cores, 1);
  EXPECT_NE(describe(machine).find(machine.cpu), std::string::npos);
  EXPECT_NE(describe(machine).find("usable"), std::string::npos);
}

}  // namespace
}  // namespace sojourn::cli
