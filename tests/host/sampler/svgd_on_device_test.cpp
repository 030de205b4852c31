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
#include "host/sampler/calibration.hpp"
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
    const SvgdResult device = run_on(testing::suite_likelihoods(), start, report);
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

SvgdResult move(const Target& target, Kernel kernel, std::size_t count, SvgdDevice* device, int ranks = 1,
                DirectionPrecision precision = DirectionPrecision::kDouble) {
  SvgdOptions options;
  options.precision = precision;
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
      const auto device = testing::suite_directions();
      const SvgdResult cpu = move(target, kernel, count, nullptr), there = move(target, kernel, count, device.get());
      EXPECT_EQ(there.on_device.name, testing::suite_name());
      EXPECT_EQ(there.on_device.num_directions, 50);
      EXPECT_TRUE(cpu.on_device.name.empty());
      for (std::size_t i = 0; i < cpu.particles.values().size(); ++i)
        EXPECT_NEAR(there.particles.values()[i], cpu.particles.values()[i], 1e-8) << dim << " " << i;
      // Rows of a direction do not depend on who sums the others; threads as ranks have a loop each.
      if (testing::suite_device == nullptr) {
        EXPECT_EQ(move(target, kernel, count, device.get(), 3).particles.values(), there.particles.values());
      }
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

TEST(MixedDirections, EndNearThoseInDoubleWhoeverSumsThem) {
  for (const std::int32_t dim : {1, 3, 5})
    for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
      const testing::AnalyticTarget target = a_target(dim);
      testing::HostLoopSvgd device;
      const SvgdResult exact = move(target, kernel, 70, nullptr);
      const SvgdResult cpu = move(target, kernel, 70, nullptr, 1, DirectionPrecision::kMixed);
      const SvgdResult there = move(target, kernel, 70, &device, 1, DirectionPrecision::kMixed);
      EXPECT_EQ(exact.direction_check.num_checks, 0);
      for (const SvgdResult* mixed : {&cpu, &there}) {
        EXPECT_EQ(mixed->direction_check.num_checks, 5);
        EXPECT_LT(mixed->direction_check.worst_error, 5e-7);
        EXPECT_GT(mixed->direction_check.worst_error, 1e-10);
        // Adam's first steps divide by the direction's size and so carry on relative errors.
        for (std::size_t i = 0; i < exact.particles.values().size(); ++i)
          EXPECT_NEAR(mixed->particles.values()[i], exact.particles.values()[i], 2e-4) << dim << " " << i;
      }
      EXPECT_EQ(move(target, kernel, 70, nullptr, 3, DirectionPrecision::kMixed).particles.values(),
                cpu.particles.values());
      EXPECT_EQ(move(target, kernel, 70, &device, 3, DirectionPrecision::kMixed).particles.values(),
                there.particles.values());
    }
}

/// Mean and sd of Gaussians and of a log gamma, by their closed forms, as near as in double.
TEST(MixedDirections, LeaveThePosteriorUnharmed) {
  for (const testing::Calibrated& truth :
       {testing::gaussian_case(1), testing::gaussian_case(3), testing::log_gamma_case(2, 2)}) {
    SvgdOptions options;
    options.num_threads = 1;
    const SvgdResult exact = svgd(truth.target, options);
    options.precision = DirectionPrecision::kMixed;
    const SvgdResult mixed = svgd(truth.target, options);
    const testing::CalibrationError exact_error = testing::calibration_error(truth, exact.particles.view());
    const testing::CalibrationError mixed_error = testing::calibration_error(truth, mixed.particles.view());
    EXPECT_TRUE(mixed_error.passes()) << truth.name;
    EXPECT_NEAR(mixed_error.mean, exact_error.mean, 1e-4) << truth.name;
    EXPECT_NEAR(mixed_error.sd, exact_error.sd, 1e-4) << truth.name;
    EXPECT_EQ(mixed.direction_check.num_checks, 50);
  }
}

TEST(MixedDirections, AWrongOneEndsTheRun) {
  testing::HostLoopSvgd device;
  const auto reason = [&](double spoil) -> std::string {
    device.spoil = spoil;
    try {
      (void)move(a_target(2), Kernel::kImq, 20, &device, 1, DirectionPrecision::kMixed);
    } catch (const NumericalError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(reason(1e-7), "");
  EXPECT_THAT(reason(1e-2), HasSubstr("use precision: fp64"));
  EXPECT_THAT(reason(std::nan("")), HasSubstr("use precision: fp64"));
}

/// Coordinates that single precision cannot tell apart: without whitening a kernel sees 1e6 +- 0.7.
TEST(MixedDirections, ParticlesFarFromTheOriginAreRefused) {
  const testing::AnalyticTarget far(1, [](std::span<const double> z, std::span<double> score) {
    score[0] = 1e6 - z[0];
    return -0.5 * (z[0] - 1e6) * (z[0] - 1e6);
  });
  SvgdOptions options;
  options.whiten = false;
  options.start = StartKind::kGiven;
  options.given = start_at(200, 1);
  for (double& value : options.given.values()) value += 1e6;
  options.num_iterations = 5;
  EXPECT_NO_THROW((void)svgd(far, options));
  options.precision = DirectionPrecision::kMixed;
  EXPECT_THROW((void)svgd(far, options), NumericalError);
  options.whiten = true;
  EXPECT_NO_THROW((void)svgd(far, options));
}

}  // namespace
}  // namespace sojourn
