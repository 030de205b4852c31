// A whole run with likelihoods from the bodies of device kernels, beside the same run on the CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "host/posterior/host_loop_device.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

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

}  // namespace
}  // namespace sojourn
