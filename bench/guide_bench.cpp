// The load the parallel guide names: 500 particles x 50 times x 1,000 SVGD iterations, 25 million densities with their
// gradients, which at 10 ms each are nearly 70 hours of one core. Coalescent of 10 samples by lineage counts, 2
// threads.
#include <benchmark/benchmark.h>

#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/sample.hpp"
#include "sojourn/svgd.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

constexpr int kNumThreads = 2;
constexpr std::int64_t kNumTimes = 50;
constexpr double kTruth = 1.5;

Posterior make_posterior() {
  Model model = coalescent_lineages(10);
  const std::vector<double> reward = model.graph.unit_reward(), truth{kTruth};
  const Matrix<double> times = sample(model, truth, {reward}, kNumTimes, /*seed=*/1, 1);
  Observations observations = exact_observations(times.values(), TimeKind::kContinuous, "guide_bench");
  std::map<std::string, Prior> priors;
  priors.emplace(model.parameters[0].name, Prior(PriorFamily::kLognormal, 0, 1));
  return {std::move(model), std::move(observations), priors, {}, reward, {.num_threads = kNumThreads}};
}

void run(benchmark::State& state, std::int64_t num_particles, std::int64_t num_iterations) {
  SvgdOptions options;
  options.num_particles = num_particles;
  options.num_iterations = num_iterations;
  options.num_threads = kNumThreads;
  SvgdResult result;
  // The guide counts from the data to the particles, so the plan is inside.
  for (auto _ : state) {
    const Posterior posterior = make_posterior();
    result = svgd(posterior, options);
  }
  if (result.iterations_done != num_iterations) state.SkipWithError("SVGD stopped early");
  count_rate(state, "densities/s", static_cast<std::size_t>(num_particles * num_iterations * kNumTimes));
  state.counters["seconds_scores"] = result.seconds_scores;
  state.counters["seconds_kernel"] = result.seconds_kernel;
  double mean = 0;
  for (const double z : result.particles.values()) mean += std::exp(z) / static_cast<double>(num_particles);
  state.counters["posterior_mean"] = mean;
  state.SetLabel("goal: < 20 s of wall time (the guide: nearly 70 hours)");
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn::bench;
  const bool quick = take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RegisterBenchmark("guide/svgd", [quick](benchmark::State& state) { run(state, 500, quick ? 20 : 1000); })
      ->Unit(benchmark::kSecond)
      ->Iterations(1)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
  benchmark::RunSpecifiedBenchmarks();
}
