#include "device_iteration.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>

#include "device/cuda_device.hpp"
#include "sampler/kernel_sum.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/sample.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::bench {
namespace {

constexpr int kHostThreads = 2;
/// A part of the CPU's work stands for the whole where that would take minutes.
constexpr std::int64_t kHostIterations = 5, kHostRows = 2048;

template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void set_times(DeviceIterationRow& row, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  row.seconds = times[times.size() / 2];
  row.low = times.front();
  row.high = times.back();
}

DeviceIterationRow measure_direction(SvgdDevice& device, bool mixed, int repetitions) {
  constexpr std::int64_t kParticles = 100'000;
  ParticleBlock u(kParticles, 4), s(kParticles, 4), phi(kParticles, 4), host(kParticles, 4);
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  for (double& value : u.values) value = normal(random);
  for (double& value : s.values) value = normal(random);
  u.pad();
  DeviceIterationRow row{.name = mixed ? "SVGD direction, mixed precision, 100,000 particles, 4 parameters"
                                       : "SVGD direction, 100,000 particles, 4 parameters",
                         .host_threads = kHostThreads};
  std::vector<double> times;
  for (int repetition = -1; repetition < repetitions; ++repetition) {
    const double seconds = seconds_of([&] {
      device.direction(Kernel::kImq, {u.dim, u.count, u.stride, u.values.data(), s.values.data(), 0.5, mixed, 0,
                                      u.count, phi.values.data()});
    });
    if (repetition >= 0) times.push_back(seconds);
  }
  set_times(row, times);
  row.host_seconds = static_cast<double>(kParticles) / kHostRows *
                     seconds_of([&] { kernel_direction(Kernel::kImq, u, s, 0.5, 0, kHostRows, kHostThreads, host); });
  for (std::int32_t c = 0; c < u.dim; ++c)
    for (std::int64_t i = 0; i < kHostRows; ++i)
      row.worst_difference = std::max(row.worst_difference, std::abs(phi.at(i, c) - host.at(i, c)));
  return row;
}

DeviceIterationRow measure_run(const std::string& name, const Device& device, const Model& model,
                               const std::vector<double>& truth, std::int64_t num_times, SvgdOptions options,
                               int repetitions) {
  const std::vector<double> reward = model.graph.unit_reward();
  const Observations data = exact_observations(sample(model, truth, {reward}, num_times, /*seed=*/1, 1).values(),
                                               TimeKind::kContinuous, "drawn");
  std::map<std::string, Prior> priors;
  for (const Parameter& parameter : model.parameters)
    priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 1));
  EvaluatorOptions evaluator;
  evaluator.num_threads = options.num_threads = kHostThreads;
  options.start = StartKind::kPrior;
  DeviceIterationRow row{.name = name, .host_threads = kHostThreads};
  std::vector<double> times;
  for (int repetition = -1; repetition < repetitions; ++repetition) {
    // From the data to the particles, so the plan is inside.
    const double seconds = seconds_of([&] {
      Posterior posterior(model, data, priors, {}, reward, evaluator);
      posterior.use_device(device.likelihood);
      const SvgdResult result = svgd(posterior, options, SvgdControl{.device = device.svgd.get()});
      row.num_resident = result.on_device.num_resident;
      row.num_halts = result.on_device.num_halts;
    });
    if (repetition >= 0) times.push_back(seconds);
  }
  set_times(row, times);
  const Posterior host(model, data, priors, {}, reward, evaluator);
  const std::int64_t whole = options.num_iterations;
  options.num_iterations = std::min(whole, kHostIterations);
  row.host_seconds = static_cast<double>(whole) / static_cast<double>(options.num_iterations) *
                     seconds_of([&] { (void)svgd(host, options); });
  return row;
}

}  // namespace

std::vector<DeviceIterationRow> measure_device_iterations(int repetitions, bool profile) {
  const Device device = open_cuda_device(0, [](const std::string&) {});
  const std::int32_t ten[] = {5, 5};
  SvgdOptions whole, guide;
  whole.num_particles = 1000;
  whole.num_iterations = 100;
  guide.num_particles = 500;
  guide.num_iterations = 1000;
  std::vector<DeviceIterationRow> rows;
  for (const bool mixed : {false, true}) rows.push_back(measure_direction(*device.svgd, mixed, repetitions));
  if (profile) return rows;
  const Model two_demes = structured_coalescent_blocks(ten);
  rows.push_back(measure_run("SVGD run, 1,000 particles, two_deme_blocks_10, 1,000 times, 100 iterations", device,
                             two_demes, std::vector<double>(two_demes.parameters.size(), 1.0), 1000, whole,
                             std::min(repetitions, 5)));
  rows.push_back(measure_run("SVGD run, 500 particles, coalescent_lineages_10, 50 times, 1,000 iterations", device,
                             coalescent_lineages(10), {1.5}, 50, guide, std::min(repetitions, 5)));
  return rows;
}

}  // namespace sojourn::bench
