// A whole run with likelihoods from the bodies of device kernels, beside the same run on the CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "comm/thread_group.hpp"
#include "common/random.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/sampler/analytic_targets.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

Observations some_times(std::size_t count) {
  std::mt19937 random(2);
  std::lognormal_distribution<double> factor(0.3, 0.5);
  std::vector<double> values(count);
  for (double& value : values) value = factor(random);
  return exact_observations(values, TimeKind::kContinuous, "drawn");
}

SvgdResult run_on(const std::shared_ptr<LikelihoodDevice>& device, StartKind start, DeviceReport& report) {
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  std::map<std::string, Prior> priors;
  for (const Parameter& parameter : model.parameters)
    priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 0.5));
  EvaluatorOptions options;
  options.method = LawMethod::kContour;
  options.num_threads = 1;
  Posterior posterior(model, some_times(150), priors, {}, model.graph.unit_reward(), options);
  if (device) posterior.use_device(device);
  SvgdOptions sampler;
  sampler.num_particles = 40;
  sampler.num_iterations = 50;
  sampler.start = start;
  sampler.num_threads = 1;
  SvgdResult result = svgd(posterior, sampler);
  report = posterior.device_report();
  return result;
}

TEST(SvgdOnDevice, EndsWhereTheCpuEnds) {
  for (const StartKind start : {StartKind::kPrior, StartKind::kLaplace}) {
    DeviceReport none, report;
    const SvgdResult cpu = run_on(nullptr, start, none);
    const SvgdResult device = run_on(std::make_shared<testing::HostLoopDevice>(), start, report);
    EXPECT_TRUE(none.name.empty());
    EXPECT_GE(report.num_served, 50 * 40);
    EXPECT_EQ(report.num_on_cpu(), 0);
    ASSERT_EQ(device.particles.values().size(), cpu.particles.values().size());
    double largest = 0;
    for (std::size_t i = 0; i < cpu.particles.values().size(); ++i)
      largest = std::max(largest, std::abs(device.particles.values()[i] - cpu.particles.values()[i]));
    // Fifty steps carry on what 1e-12 of a score leaves; positions are of size one.
    EXPECT_LE(largest, 1e-8) << "start " << static_cast<int>(start);
    EXPECT_NEAR(device.log_density[7], cpu.log_density[7], 1e-8 * std::abs(cpu.log_density[7]));
  }
}

testing::AnalyticTarget a_target(std::int32_t dim) {
  return testing::sheared_gaussian(dim, 0.5, std::vector<double>(static_cast<std::size_t>(dim), 0.7));
}

Matrix<double> start_at(std::size_t count, std::size_t dim) {
  Matrix<double> particles(count, dim);
  PhiloxStream random(4, 9, 0);
  for (double& value : particles.values()) value = 1 + 2 * random.next_normal();
  return particles;
}

SvgdResult move(const Target& target, Kernel kernel, std::size_t count, SvgdDevice* device, int ranks = 1) {
  SvgdOptions options;
  options.kernel = kernel;
  options.num_particles = static_cast<std::int64_t>(count);
  options.num_iterations = 50;
  options.num_threads = 1;
  options.start = StartKind::kGiven;
  options.given = start_at(count, static_cast<std::size_t>(target.dimension()));
  const SvgdControl control{.device = device};
  if (ranks == 1) return svgd(target, options, control);
  SvgdResult result;
  run_thread_ranks(ranks, [&](Communicator& communicator) {
    testing::HostLoopSvgd own;  // each rank has its device
    SvgdResult mine = svgd(target, options, communicator, SvgdControl{.device = device != nullptr ? &own : nullptr});
    if (communicator.rank() == 0) result = std::move(mine);
  });
  return result;
}

TEST(DirectionsOnDevice, EndWhereTheCpuEnds) {
  for (const std::int32_t dim : {1, 3, 5})
    for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
      const testing::AnalyticTarget target = a_target(dim);
      const std::size_t count = 70;
      testing::HostLoopSvgd device;
      const SvgdResult cpu = move(target, kernel, count, nullptr), there = move(target, kernel, count, &device);
      EXPECT_EQ(there.on_device.name, "host loop");
      EXPECT_EQ(there.on_device.num_directions, 50);
      EXPECT_TRUE(cpu.on_device.name.empty());
      for (std::size_t i = 0; i < cpu.particles.values().size(); ++i)
        EXPECT_NEAR(there.particles.values()[i], cpu.particles.values()[i], 1e-8) << dim << " " << i;
      // Rows of a direction do not depend on who sums the others.
      EXPECT_EQ(move(target, kernel, count, &device, 3).particles.values(), there.particles.values());
    }
}

TEST(DirectionsOnDevice, WhatTheDeviceDoesNotTakeTheCpuDoesAndSaysSo) {
  testing::HostLoopSvgd device;
  device.dimensions = 2;
  const SvgdResult there = move(a_target(3), Kernel::kImq, 20, &device);
  EXPECT_EQ(there.particles.values(), move(a_target(3), Kernel::kImq, 20, nullptr).particles.values());
  EXPECT_EQ(there.on_device.num_directions, 0);
  EXPECT_THAT(there.on_device.why_no_directions, HasSubstr("3 free parameters are more than the 2"));
}

TEST(DirectionsOnDevice, AWrongDirectionEndsTheRunAtOnce) {
  testing::HostLoopSvgd device;
  device.spoil = 1e-5;
  EXPECT_THROW((void)move(a_target(2), Kernel::kImq, 20, &device), DeviceError);
}

}  // namespace
}  // namespace sojourn
