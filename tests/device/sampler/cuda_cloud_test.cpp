// A run whose particles stay on a CUDA device, beside the same run on the CPU.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device/cuda_device.hpp"
#include "device/device_count.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

SvgdResult run_on(const Device& device, Kernel kernel) {
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  std::map<std::string, Prior> priors;
  for (const Parameter& parameter : model.parameters)
    priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 0.5));
  std::mt19937 random(2);
  std::lognormal_distribution<double> factor(0.3, 0.5);
  std::vector<double> values(150);
  for (double& value : values) value = factor(random);
  Posterior posterior(model, exact_observations(values, TimeKind::kContinuous, "drawn"), priors, {},
                      model.graph.unit_reward());
  if (device) posterior.use_device(device.likelihood);
  SvgdOptions options;
  options.kernel = kernel;
  options.num_particles = 300;
  options.num_iterations = 50;
  options.start = StartKind::kPrior;
  return svgd(posterior, options, SvgdControl{.device = device.svgd.get()});
}

TEST(CudaCloud, MatchesTheHostAfterFiftyIterations) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const Device device = open_cuda_device(0, [](const std::string& line) { ADD_FAILURE() << line; });
  for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
    const SvgdResult cpu = run_on({}, kernel), there = run_on(device, kernel), again = run_on(device, kernel);
    EXPECT_EQ(there.on_device.num_resident, 50);
    EXPECT_EQ(there.on_device.num_halts, 0);
    EXPECT_EQ(there.particles.values(), again.particles.values()) << "the order of sums is fixed";
    // Fifty steps carry on what 1e-12 of a score leaves; positions are of size one.
    for (std::size_t i = 0; i < cpu.particles.values().size(); ++i)
      EXPECT_NEAR(there.particles.values()[i], cpu.particles.values()[i], 1e-8) << i;
  }
}

}  // namespace
}  // namespace sojourn
